/** @file What names a model, in the words that flags, recipes and their hints share. */

export const MODEL_WORDS =
  'a folder in Hugging Face’s layout, a .gguf file, a hub id owner/name, or embedded';
