/** @file `nextquill explain`: the heat map of one example, in the terminal or as HTML or JSON by the file's ending. */

import { writeFileAtomically } from '../../../base/atomic-file.ts';
import { ConfigError, DataError } from '../../../base/errors.ts';
import { checkFilePlace } from '../../../base/output-place.ts';
import { type EffectMap, type EffectName, effectKinds } from '../../../method/explain/effect-map.ts';
import { explain } from '../../../method/explain/explain.ts';
import type { OthersBy } from '../../../method/others/similar.ts';
import { promptPair } from '../../../method/prompts/pair.ts';
import { effectMapJson } from '../../../reports/heat-map/effect-map-json.ts';
import { renderEffectMapHtml } from '../../../reports/heat-map/heat-map-html.ts';
import { renderEffectMapTerminal } from '../../../reports/heat-map/heat-map-terminal.ts';
import { exampleById } from '../../files/example-rows.ts';
import type { OpenedModel } from '../../open/scored-model.ts';
import type { CliCommand, Session } from '../command.ts';
import { addEngineFlags } from '../engine.ts';
import {
  addCacheFlag,
  addEmbeddingsFlag,
  addExampleFlags,
  addFlag,
  addForceFlag,
  addModelFlags,
  addOthersFlag,
  addRedactFlag,
  oneOf,
  required,
} from '../flags.ts';
import { addRemoteFlags } from '../remote-flags.ts';
import { neededOthers, openCache, openForScoring, type ScoringFlags } from '../scoring.ts';
import { mapColor } from '../terminal.ts';

interface ExplainFlags extends ScoringFlags {
  readonly example?: string;
  readonly out?: string;
  readonly effect?: EffectName;
  readonly others?: number;
  readonly othersBy?: OthersBy;
  readonly redact?: boolean;
  readonly cache?: boolean;
  readonly force?: boolean;
  /** By `--items` or `--no-items`; without either, where there are few. */
  readonly items?: boolean;
}

/** Items whose effects are worth their passes unasked: the random subsets of so few are at most 2⁵ prompts. */
const FEW_ITEMS = 5;

const effectNames = Object.keys(effectKinds) as EffectName[];

export const explainCommand: CliCommand = {
  define: (command) => {
    addModelFlags(command);
    addEmbeddingsFlag(command);
    addEngineFlags(command);
    addRemoteFlags(command);
    addExampleFlags(command);
    addFlag(command, '--out <file>', 'write FILE.html or FILE.json (default: draw in the terminal)');
    addForceFlag(command);
    addFlag(
      command,
      '--effect <name>',
      `which effect colours: ${effectNames.join(', ')} (default: logRatio)`,
      (flag) => oneOf(flag, effectNames),
    );
    addOthersFlag(command);
    addCacheFlag(command);
    command.option(
      '--items',
      `what each item of the history does: D with an interval (default: for at most ${FEW_ITEMS} items)`,
    );
    command.option('--no-items', 'leave the items out');
    addRedactFlag(command);
    command.addHelpText(
      'after',
      '\nExample: nextquill explain --model embedded --data sotu --example ID --out map.html',
    );
  },
  run: async (_operands, flags, session) => {
    const {
      out,
      redact = false,
      effect,
      others,
      othersBy,
      example: id,
      items,
      ...rest
    } = flags as ExplainFlags;
    const { cache: useCache, force, ...given } = rest;
    const wanted = required(id, '--example', 'Name an example by its id.');
    if (out !== undefined && !/\.(html|json)$/.test(out))
      throw new ConfigError(`--out: expected a name that ends in .html or .json, got "${out}"`, {
        code: 'usage/out',
        hint: 'Remove --out to draw in the terminal.',
      });
    if (out !== undefined) await checkFilePlace(out, { force });
    const { opened, all, source } = await openForScoring(given, 'all', session);
    checkEffect(effect, opened);
    const example = exampleById(all, wanted, source);
    const { seed, threads } = session.options;
    const shown = promptPair(example, opened.model.tokenizer, { ...opened.prompt, reference: 'removed' });
    const count = others ?? neededOthers(effect);
    const map = await explain(opened, example, {
      prompt: opened.prompt,
      modelName: opened.name,
      pool: all,
      ...(count > 0 && { others: count }),
      ...(othersBy && { othersBy }),
      ...(seed !== undefined && { seed }),
      items: items ?? shown.historyItemsUsed <= FEW_ITEMS,
      ...(threads !== undefined && { threads }),
      ...(useCache && { cache: await openCache(session) }),
      signal: session.signal,
      onProgress: session.progress,
      onNotice: session.notice,
    });
    if (effect !== undefined && map.tokens.some(({ values }) => values[effect] === undefined))
      throw effect === 'divergenceAtLeast'
        ? new DataError(`--effect ${effect}: expected likeliest tokens in every place, got none in some`, {
            code: 'data/no-likeliest',
            hint: 'Choose another effect: the server does not give them everywhere.',
          })
        : new DataError(
            `--effect ${effect}: expected another user's history that fits beside example "${wanted}", got none`,
            { code: 'data/no-others', hint: 'Raise --max-tokens, or choose another effect.' },
          );
    await show(map, { out, redact, effect }, session);
  },
};

/** @throws {ConfigError} for the divergence of a server's model, and for the bound of one that is known or that nothing bounds */
function checkEffect(effect: EffectName | undefined, { remote }: Pick<OpenedModel, 'remote'>): void {
  if (effect === 'divergence' && remote !== undefined)
    throw new ConfigError('--effect divergence: expected a model whose weights are here, got a server’s', {
      code: 'remote/needs-logits',
      hint: 'Choose divergenceAtLeast, its lower bound.',
    });
  if (effect === 'divergenceAtLeast' && !(remote !== undefined && remote.likeliest > 0))
    throw new ConfigError(
      `--effect divergenceAtLeast: expected a server that gives the likeliest tokens, got ${remote === undefined ? 'a model whose weights are here' : 'one that gives none'}`,
      {
        code: 'config/no-effect',
        hint: remote === undefined ? 'Choose divergence.' : 'Choose another effect.',
      },
    );
}

interface Showing {
  readonly out: string | undefined;
  readonly redact: boolean;
  readonly effect: EffectName | undefined;
}

async function show(map: EffectMap, { out, redact, effect }: Showing, session: Session): Promise<void> {
  const json = () => `${JSON.stringify(effectMapJson(map, { redact }), null, out === undefined ? 0 : 2)}\n`;
  const coloured = effect === undefined ? {} : { effect };
  if (out === undefined) {
    const { stdout } = session;
    session.print(
      session.options.json
        ? json()
        : renderEffectMapTerminal(map, {
            width: Math.min(stdout.columns ?? 80, 110),
            color: mapColor(stdout),
            redact,
            ...coloured,
          }),
    );
    return;
  }
  const text = out.endsWith('.json') ? json() : renderEffectMapHtml([map], { redact, ...coloured });
  await writeFileAtomically(out, (file) => file.writeFile(text));
  session.print(
    session.options.json ? `${JSON.stringify({ out, tokens: map.tokens.length })}\n` : `${out}\n`,
  );
  if (!redact) session.note(`${out} holds this user’s texts; --redact replaces them by their lengths.`);
}
