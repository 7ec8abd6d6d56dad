/** That of the packages of Millrace, which are released together. */
export const VERSION = '0.1.0';
