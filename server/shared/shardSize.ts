/** The largest weight file, as transformers has it by default for years; hosts and file systems take it. */
export const defaultMaxShardBytes = 5e9;
