/** @file What an audit finds, as plain data: before any words, tables or pictures. */
import type { Estimate } from '../../base/statistics/estimate.ts';
import type { NamedEffects } from '../effects/named-effects.ts';
import type { EffectMap } from '../explain/effect-map.ts';
import type { Matching } from '../others/matching.ts';
import type { LeftOut } from '../prompts/left-out.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import type { RemoteRecord } from '../scoring/remote-passes.ts';
import type { ProductsRecord } from '../scoring/scored-model.ts';
import type { HistoryStrength } from '../strength/history-strength.ts';

/**
 * The effects of a user, a domain or a part of the texts, nats a response token. With fewer than five users (of a user:
 * texts) no interval is known, and low = high = value.
 */
export interface GroupEffects extends NamedEffects<Estimate> {
  /** The user, the domain, or the part. */
  readonly name: string;
  readonly users: number;
  readonly texts: number;
}

/** A number of history items, and what the latest so many do. */
export interface DosePoint {
  /** The latest so many items, or all where there are fewer. */
  readonly items: number;
  /** Texts that show so many. */
  readonly texts: number;
  /** A with these items, nats a token. */
  readonly effect: Estimate;
  /** What the items added to the point before, paired by user; absent at the first point. */
  readonly added?: Estimate;
}

/** A token that the user's own history makes likelier than other users' histories do. */
export interface PersonalToken {
  readonly example: string;
  readonly user: string;
  readonly position: number;
  readonly token: string;
  /** C at this token, nats. */
  readonly userSpecific: number;
  /** The smallest false discovery rate at which the token is still found. */
  readonly adjusted: number;
}

/** Where in the texts the history shows. */
export interface WhereInText {
  /** First, middle and last third of the response tokens of each text. */
  readonly thirds: readonly (GroupEffects & {
    /** Share of its tokens that are found personal; with two others or more. */
    readonly personalShare?: Estimate;
  })[];
  /** Absent with one other user: what differs between strangers is then not known. */
  readonly personal?: {
    /** False discovery rate. */
    readonly level: number;
    readonly tokens: number;
    /** One stranger's history against the others': as many differences as there are to compare with. */
    readonly nullSize: number;
    /** Share of tokens found, mean over users. */
    readonly share: Estimate;
    /** The strongest, largest first. */
    readonly strongest: readonly PersonalToken[];
  };
}

/** Everything that an audit found; `version` rises when a field changes its meaning. */
export interface AuditResult extends ProductsRecord {
  readonly format: 'nextquill/audit';
  readonly version: 1;
  readonly model: string;
  /** SHA-256 of the model's weights, config and tokenizer. */
  readonly modelHash: string;
  /** The server that scored, where one did. */
  readonly remote?: RemoteRecord;
  readonly prompt: PromptSettings;
  readonly seed: number;
  /** Other users' histories that each text is compared with. */
  readonly others: number;
  /** How they were chosen. */
  readonly matching: Matching;
  /** Mean number of items that the model saw. */
  readonly itemsShown: { readonly own: number; readonly others: number };
  readonly users: number;
  readonly texts: number;
  readonly tokens: number;
  readonly effects: NamedEffects<Estimate>;
  /** Largest C first. An interval of a user is over that user's texts. */
  readonly byUser: readonly GroupEffects[];
  /** Largest C first; empty where examples name no domain. */
  readonly byDomain: readonly GroupEffects[];
  readonly dose: readonly DosePoint[];
  /** How far the model should trust histories; absent where it gives no logits. */
  readonly strength?: HistoryStrength;
  readonly where: WhereInText;
  readonly leftOut: LeftOut;
  /** Texts with the largest C and with the smallest, with what each item of their histories does. */
  readonly maps: { readonly most: readonly EffectMap[]; readonly least: readonly EffectMap[] };
}
