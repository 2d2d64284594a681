/** @file What the commands that score share: the model opened, the rows read, both as the flags say. */

import { checkDevice, type DeviceChoice } from '../../base/device.ts';
import { ConfigError } from '../../base/errors.ts';
import type { Products } from '../../base/products.ts';
import type { DeviceTaken } from '../../engine/models/device-check.ts';
import type { ModelWorker } from '../../engine/models/model-worker.ts';
import type { BaseBits } from '../../engine/quantisation/blocks.ts';
import type { Example } from '../../method/data/example.ts';
import type { EffectName } from '../../method/explain/effect-map.ts';
import type { PromptSettings } from '../../method/prompts/pair.ts';
import type { ReferenceValue } from '../../method/prompts/template.ts';
import { DEFAULT_RETRIEVAL, type Retrieval } from '../../method/retrieval/choose.ts';
import { adapterFolder } from '../../method/runs/users-folder.ts';
import type { EffectCache } from '../../method/scoring/effect-cache.ts';
import { isMeasured, measuredFor } from '../../method/scoring/measured-retrieval.ts';
import { tokenCounter } from '../../method/scoring/token-count.ts';
import { effectCache } from '../files/effect-cache.ts';
import { readEmbeddings } from '../files/embedding-file.ts';
import { readRows, type SplitChoice, warnOfLeakage } from '../files/example-rows.ts';
import type { OpenModelOptions } from '../open/model-source.ts';
import { MODEL_WORDS } from '../open/model-words.ts';
import { type OpenedModel, openScoredModel } from '../open/scored-model.ts';
import { warnOfTrainedRows } from '../open/trained-on.ts';
import { isRemoteSource } from '../remote/address.ts';
import type { Session } from './command.ts';
import { type EngineFlags, engineFlagNames, scoringEngine } from './engine.ts';
import { required } from './flags.ts';
import { openRemoteModel, type RemoteFlags, refuseRemoteFlags } from './remote-flags.ts';

export interface ScoringFlags extends EngineFlags, RemoteFlags {
  readonly model?: string;
  readonly adapter?: string;
  readonly data?: string;
  readonly split?: SplitChoice;
  readonly maxExamples?: number;
  readonly maxHistory?: number;
  readonly historyStride?: number;
  readonly retrieval?: Retrieval;
  readonly embeddings?: string;
  readonly maxTokens?: number;
  readonly reference?: ReferenceValue;
  readonly strict?: boolean;
  readonly baseBits?: BaseBits;
  readonly products?: Products;
}

/** A model, the rows to score, and all examples of the data. */
export interface Scoring {
  readonly opened: OpenedModel;
  readonly rows: readonly Example[];
  readonly all: readonly Example[];
  readonly source: string;
}

/**
 * As {@link openForScoring}, for numbers that should be held out: warns of rows that a history, another split or the
 * training rows give away, and of those that the model was trained on.
 */
export async function openHeldOut(
  flags: ScoringFlags,
  defaultSplit: SplitChoice,
  session: Session,
): Promise<Scoring> {
  const scoring = await openForScoring(flags, defaultSplit, session);
  await warnOfLeakage(scoring.all, session.warn, session.signal);
  const { adapter } = flags;
  const scored = adapter === undefined ? flags.model! : await adapterFolder(adapter);
  await warnOfTrainedRows(scored, scoring.rows, session.warn);
  return scoring;
}

/** Opens what `--model`, `--adapter` and `--data` name. @throws {ConfigError} when one is missing or unknown */
export async function openForScoring(
  flags: ScoringFlags,
  defaultSplit: SplitChoice,
  session: Session,
): Promise<Scoring> {
  const model = required(flags.model, '--model', `Name ${MODEL_WORDS}.`);
  const source = required(flags.data, '--data', 'Name the examples: FILE.jsonl, sotu or acl:PATH.');
  // No seed: the splits of sotu and acl stay, whatever the seed, so that training and scoring can never mix them.
  const { rows, all } = await readRows(source, flags.split ?? defaultSplit, {
    ...(flags.maxExamples !== undefined && { limit: flags.maxExamples }),
    onNotice: session.notice,
    signal: session.signal,
  });
  const opened = await openScored(model, flags, session);
  if (flags.embeddings !== undefined && opened.prompt.retrieval !== 'dense')
    throw new ConfigError(
      `--embeddings: expected --retrieval dense beside it, got ${opened.prompt.retrieval ?? DEFAULT_RETRIEVAL}`,
      { code: 'config/no-effect', hint: 'Add --retrieval dense, or leave --embeddings out.' },
    );
  if (!isMeasured(opened.prompt)) return { opened, rows, all, source };
  if (flags.embeddings !== undefined) {
    const file = { prompt: opened.prompt, embeddings: await readEmbeddings(flags.embeddings, session) };
    return {
      opened,
      rows: await measuredFor(opened, rows, file),
      all: await measuredFor(opened, all, file),
      source,
    };
  }
  const { threads } = session.options;
  const measured = await measuredFor(opened, rows, {
    prompt: opened.prompt,
    ...(threads !== undefined && { threads }),
    signal: session.signal,
    onProgress: session.progress,
  });
  if (all.length > rows.length)
    session.warn(
      `retrieval ${opened.prompt.retrieval}: other users’ histories come from the ${rows.length} examples scored, not from all ${all.length}: only their items are measured`,
    );
  return { opened, rows: measured, all: measured, source };
}

/** A model that is here, or a server's. */
async function openScored(model: string, flags: ScoringFlags, session: Session): Promise<OpenedModel> {
  const { adapter, baseBits, products } = flags;
  const prompt = promptOverrides(flags);
  if (!isRemoteSource(model)) {
    refuseRemoteFlags(flags);
    return openScoredModel(model, {
      ...(adapter !== undefined && { adapter }),
      ...(baseBits !== undefined && { baseBits }),
      ...(products !== undefined && { products }),
      ...openingOf(session, await scoringEngine(flags, session)),
      prompt,
    });
  }
  const idle = adapter === undefined ? engineFlagNames.find((name) => Object.hasOwn(flags, name)) : 'adapter';
  if (idle !== undefined || session.options.device !== undefined)
    throw new ConfigError(`--${idle ?? 'device'}: expected a model that is here, got that of ${model}`, {
      code: 'config/no-effect',
      hint: 'Leave it out: the server computes, and serves an adapter under the name of --remote-model.',
    });
  return openRemoteModel(model, flags, session, { prompt });
}

/**
 * What the opening of a model takes from the command line: flags, progress, warnings, and the way to be stopped.
 * @param worker computes the model in place of graphs of this package; it has a device of its own
 * @param device that of `--device` by default
 * @throws {ConfigError} for a device that only another engine has
 */
export function openingOf(
  { options, progress, signal, warn, note }: Session,
  worker?: ModelWorker,
  device: string | undefined = options.device,
): OpenModelOptions {
  const { offline } = options;
  if (worker === undefined && device !== undefined) checkDevice(device, '--device');
  return {
    ...(offline !== undefined && { offline }),
    ...(worker === undefined ? device !== undefined && { device: device as DeviceChoice } : { worker }),
    onDevice: (taken) => note(deviceLine(taken)),
    onProgress: progress,
    onWarning: warn,
    signal,
  };
}

/** Which device was taken, and why. */
export function deviceLine({ device, because, reason }: DeviceTaken): string {
  if (because === undefined) return `device: ${device}`;
  const why = {
    passed: 'its self-check passed',
    failed: 'the self-check of webgpu failed',
    none: 'there is no other',
  }[because];
  return `device: ${device}, taken by auto: ${why}${reason === undefined ? '' : ` (${reason})`}`;
}

/** Other users' histories that must be drawn for an effect to be shown, even where none were asked for. */
export function neededOthers(effect?: EffectName): number {
  return effect === 'generic' || effect === 'userSpecific' ? 1 : 0;
}

/** The cache of effects, as `--cache` asks. */
export async function openCache({ warn }: Session): Promise<EffectCache> {
  return effectCache({ onWarning: warn });
}

/** What a command tells of the tokens that it scored: for JSON, and one line for people where some were saved. */
export function scoredTokens({ note }: Session) {
  const { add, total } = tokenCounter();
  return {
    onTokens: add,
    total,
    note: () => {
      const { tokensComputed, tokensSaved } = total();
      if (tokensSaved > 0)
        note(
          `${tokensComputed} tokens computed, ${tokensSaved} saved: prompts that begin alike are computed once`,
        );
    },
  };
}

function promptOverrides({
  maxHistory,
  historyStride,
  retrieval,
  maxTokens,
  reference,
}: ScoringFlags): Partial<PromptSettings> {
  return {
    ...(maxHistory !== undefined && { maxHistory }),
    ...(historyStride !== undefined && { historyStride }),
    ...(retrieval !== undefined && { retrieval }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(reference !== undefined && { reference }),
  };
}
