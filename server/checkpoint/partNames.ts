// Names of the files that a checkpoint is made of.
import { provenanceFile } from './provenance';

export const generationConfigFile = 'generation_config.json';

/** Files beside configuration and weights. */
export const namesBeside: ReadonlySet<string> = new Set([
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'tekken.json',
  'chat_template.jinja',
  'chat_template.json',
  generationConfigFile,
  'preprocessor_config.json',
  'processor_config.json',
]);
/** Vocabularies of SentencePiece and tiktoken: tokenizer.model, tokenizer.model.v3, qwen.tiktoken. */
export const isVocabulary = (name: string) => /^[\w.-]*(\.model(\.v\d\w*)?|\.tiktoken)$/.test(name);
export const isLicence = (name: string) =>
  /^(LICENSE|LICENCE|NOTICE|USE_POLICY)([._-].*)?$/i.test(name) && !/\.(py|bin)$/i.test(name);
/** Holds templates beside the usual one, for tools and the like. */
export const templateFolder = 'additional_chat_templates';
/** Whether a file of that name says something of the model: its configuration, weights, tokenizer and templates. */
export const isPartOfModel = (name: string): boolean =>
  namesBeside.has(name) || isVocabulary(name) || /\.safetensors(\.index\.json)?$/.test(name) || ownFiles.has(name);
const ownFiles = new Set(['config.json', provenanceFile]);
