/**
 * The word by which the server behind `mdevfs run` is started, and found in a list of processes.
 * @module
 */

export const SERVE_RUN = 'serve-run';
