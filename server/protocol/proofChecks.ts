// The checks of a proof by name, for all who show one.

/** What is proven of a folder, in the order in which it is looked at, with what each check shows. */
export const proofChecks = {
  opens: 'the folder opens anew',
  files: 'no pickles and no code',
  config: 'config.json speaks of the blocks that there are',
  finite: 'every weight is a number',
  tokenizer: "the tokenizer is the original's",
  logits: 'it predicts what the original predicts without the blocks',
  loss: 'its loss is that of the reports',
  generation: 'text with kept keys and values is text without',
} as const;

export type ProofCheckName = keyof typeof proofChecks;
