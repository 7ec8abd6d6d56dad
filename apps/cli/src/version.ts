/** That of the package, which is not beside the file in every build. */
export const VERSION = '0.1.0';
