/**
 * @file What a part of the method has to report that is not an error: a code and numbers. The words are made above, in
 * reports, so that a command, a page and a program can each say it in their own way.
 */

/** Examples that have a history of which the prompt shows nothing: they count as without one. */
export interface HiddenHistories {
  readonly code: 'prompts/history-hidden';
  readonly count: number;
  /** Examples looked at. */
  readonly total: number;
  /** Id of the first one. */
  readonly example: string;
  readonly maxTokens: number;
  readonly maxHistory: number;
}

/** Examples whose history shows, and no other user's beside the same query and response. */
export interface HiddenOthers {
  readonly code: 'prompts/others-hidden';
  readonly count: number;
  readonly total: number;
  readonly example: string;
  readonly maxTokens: number;
  /** What becomes of them. */
  readonly consequence: 'weighted-by-total' | 'trained-plainly' | 'effects-unknown';
}

/** Examples that are left out: query and response do not fit, even without a history. */
export interface TooLongExamples {
  readonly code: 'prompts/too-long';
  readonly count: number;
  readonly total: number;
  readonly example: string;
  readonly maxTokens: number;
}

/** Examples without any history, where an effect of it is asked for. */
export interface NoHistories {
  readonly code: 'prompts/no-history';
  readonly count: number;
  readonly total: number;
  readonly example: string;
  /** What becomes of them. */
  readonly consequence: 'trained-plainly' | 'effects-zero';
}

/** Users who get no adapter of their own: they have no text to learn from, by the rule that was asked for, or none that fits. */
export interface UsersWithoutTexts {
  readonly code: 'users/no-texts';
  readonly count: number;
  readonly total: number;
  /** The first one. */
  readonly user: string;
}

/** Users whose adapter is that of its last step where the best one was to be kept: none of their rows is held out. */
export interface UsersWithoutValidation {
  readonly code: 'users/no-validation';
  readonly count: number;
  readonly total: number;
  /** The first one. */
  readonly user: string;
}

/** A checkpoint that is removed, and an earlier one used. */
export interface DamagedCheckpoint {
  readonly code: 'run/checkpoint-damaged';
  readonly checkpoint: string;
  /** The message of the error. */
  readonly fault: string;
}

/** What is worth knowing of people's texts: of a file as it is, before a model reads it. */
export type TextNotice =
  /** Texts with tags or entities of HTML. */
  | { readonly code: 'data/html'; readonly count: number; readonly example: string }
  /** Texts that a user wrote before, word for word. */
  | { readonly code: 'data/repeated-texts'; readonly count: number; readonly example: string }
  /** Users whose texts all begin, or all end, with the same words. */
  | {
      readonly code: 'data/boilerplate';
      readonly count: number;
      /** Users in all. */
      readonly total: number;
      /** The first one. */
      readonly user: string;
    };

/** Discriminated by `code`. */
export type Notice =
  | TextNotice
  | HiddenHistories
  | HiddenOthers
  | TooLongExamples
  | NoHistories
  | UsersWithoutTexts
  | UsersWithoutValidation
  | {
      readonly code: 'data/unknown-keys';
      readonly path: string;
      readonly keys: readonly { readonly key: string; readonly count: number }[];
    }
  /** Keys of pairs that no metric reads. */
  | { readonly code: 'metrics/unknown-keys'; readonly path: string; readonly keys: readonly string[] }
  | {
      readonly code: 'data/papers-left-out';
      readonly path: string;
      readonly short: number;
      readonly minWords: number;
      readonly repeated: number;
    }
  /** Effects estimated anew on resuming are not bit for bit those that the run began with. */
  | { readonly code: 'run/estimates-differ'; readonly run: string }
  | DamagedCheckpoint
  | {
      readonly code: 'run/environment-changed';
      readonly name: string;
      readonly before: string;
      readonly now: string;
    }
  /** What another engine has to say, in its own words. */
  | { readonly code: 'engine/warning'; readonly message: string }
  | {
      readonly code: 'run/step-log-cut';
      readonly run: string;
      readonly lines: number;
      readonly step: number;
    }
  /** Text without history became less likely by training, nats a token. */
  | {
      readonly code: 'evaluation/cold-start';
      readonly change: number;
      readonly low: number;
      readonly high: number;
      readonly users: number;
      readonly remedies: readonly ColdStartRemedy[];
    };

/** What can be switched on against a loss without history, of what is not on already. */
export type ColdStartRemedy =
  | { readonly code: 'stop-gradient' }
  | { readonly code: 'anchor'; readonly above: number };

/** Receives notices; must not throw. */
export type NoticeListener = (notice: Notice) => void;
