/** The advisory lock of PostgreSQL under which a process makes tables: any number that all processes share. */
export const PREPARE_LOCK = 0x6d_69_6c_6c;
