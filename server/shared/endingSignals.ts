/** What asks a program to end: a terminal that was closed, Ctrl-C, Ctrl-\, and a request. Windows does not have all of them. */
export const endingSignals = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const;
