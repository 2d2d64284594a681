/** @file `nextquill generate`: texts for the queries of examples, with the history, without, or in between. */
import { Option } from 'commander';
import { type Products, productNames } from '../../../base/products.ts';
import type { BaseBits } from '../../../engine/quantisation/blocks.ts';
import {
  type CopiedText,
  type GeneratedToken,
  type GenerationOptions,
  generateAll,
  generationRequest,
} from '../../../method/generation/generate.ts';
import { terminalText } from '../../../reports/text/terminal-text.ts';
import { exampleById } from '../../files/example-rows.ts';
import { isRemoteSource, needsWeights } from '../../remote/address.ts';
import type { CliCommand, Session } from '../command.ts';
import { addEngineFlags } from '../engine.ts';
import {
  addBaseBitsFlag,
  addDataFlag,
  addEmbeddingsFlag,
  addFlag,
  addModelFlags,
  numberBetween,
  oneOf,
  repeated,
  required,
  wholeNumber,
} from '../flags.ts';
import { openForScoring, type ScoringFlags } from '../scoring.ts';

type DrawingFlag =
  | 'strength'
  | 'count'
  | 'maxNewTokens'
  | 'temperature'
  | 'topK'
  | 'topP'
  | 'minP'
  | 'repetitionPenalty'
  | 'copyPenalty'
  | 'maxCopiedTokens'
  | 'stop';

interface GenerateFlags extends ScoringFlags, Pick<GenerationOptions, DrawingFlag> {
  readonly example?: readonly string[];
  readonly withoutHistory?: boolean;
  /** False by `--no-history`, the other spelling. */
  readonly history: boolean;
}

/** A text as far as it is written. */
interface Text {
  readonly example: string;
  readonly user: string;
  readonly sample: number;
  text: string;
  readonly tokens: number[];
  finish?: NonNullable<GeneratedToken['finish']>;
  copied?: CopiedText;
}

/** A share of copied words from which a text says more of the history than of the user. */
const MUCH_COPIED = 0.2;

export const generateCommand: CliCommand = {
  define: (command) => {
    const number = (flags: string, description: string, low: number, high: number) =>
      addFlag(command, flags, description, (flag) => numberBetween(flag, low, high));
    const whole = (flags: string, description: string, least: number) =>
      addFlag(command, flags, description, (flag) => wholeNumber(flag, least));
    addModelFlags(command);
    addEmbeddingsFlag(command);
    addEngineFlags(command);
    addBaseBitsFlag(command, 'keep linear layers in 4 or 8 bits (default: f32, with --products int8 8)');
    addFlag(
      command,
      '--products <name>',
      'what products with linear layers are computed in: f32, or int8 over layers kept in 8 bits: faster, with a small error (default: f32)',
      (flag) => oneOf(flag, productNames),
    );
    addDataFlag(command);
    addFlag(command, '--example <N>', 'id of an example; may be given several times', repeated);
    number('--strength <s>', 'logits without + s · (with − without); 1 as trained (default: 1)', -100, 100);
    command.option('--without-history', 'write as for a user without history');
    command.addOption(new Option('--no-history').hideHelp());
    whole('--count <n>', 'texts for each example (default: 1)', 1);
    whole('--max-new-tokens <n>', 'tokens at most (default: 200)', 1);
    number('--temperature <t>', '0 takes the likeliest token (default: 0)', 0, 100);
    whole('--top-k <k>', 'draw from the k likeliest tokens; 0 from all (default: 0)', 0);
    number(
      '--top-p <p>',
      'draw from the likeliest tokens that together hold this share of the probability (default: 1)',
      0,
      1,
    );
    number(
      '--min-p <p>',
      'draw from tokens at least this likely, as a share of the likeliest one (default: 0)',
      0,
      1,
    );
    number('--repetition-penalty <r>', 'above 1 avoids what was generated before (default: 1)', 0.01, 100);
    number(
      '--copy-penalty <nats>',
      'cost of copying from the history: of every token beyond the fourth of a copied run; 0 lets the model copy (default: 0.5)',
      0,
      1000,
    );
    whole('--max-copied-tokens <n>', 'never copy more tokens of the history in a row (default: no limit)', 1);
    addFlag(
      command,
      '--stop <text>',
      'end before this text, \\n being a line break; may be given several times',
      repeated,
    );
    command.addHelpText(
      'after',
      '\nExample: nextquill generate --model embedded --data sotu --example ID --strength 1.5 --temperature 0.8 --seed 3',
    );
  },
  run: async (_operands, flags, session) => {
    const { example: ids, withoutHistory, history: noHistory, ...given } = flags as unknown as GenerateFlags;
    const wanted = required(
      ids,
      '--example',
      'Name an example by its id; "nextquill examples --data F" lists them.',
    );
    const history = noHistory && withoutHistory !== true;
    if (isRemoteSource(given.model ?? '')) throw needsWeights(given.model!);
    const { opened, all, source } = await openForScoring(given, 'all', session);
    const examples = wanted.map((id) => exampleById(all, id, source));
    for (const example of examples) {
      if (history && example.history.length === 0)
        session.warn(`example "${example.id}" has no history: the text is what any user would get`);
    }
    const { seed, threads } = session.options;
    const {
      strength,
      count = 1,
      stop,
      maxNewTokens,
      temperature,
      topK,
      topP,
      minP,
      repetitionPenalty,
      copyPenalty,
      maxCopiedTokens,
    } = given;
    const steps = generateAll(
      opened,
      examples.map((example) =>
        generationRequest(opened, example, {
          prompt: opened.prompt,
          pool: all,
          ...(maxNewTokens !== undefined && { maxNewTokens }),
          ...(seed !== undefined && { seed }),
        }),
      ),
      {
        prompt: opened.prompt,
        history,
        count,
        ...(strength !== undefined && { strength }),
        ...(stop !== undefined && { stop: stop.map((text) => text.replaceAll('\\n', '\n')) }),
        ...(maxNewTokens !== undefined && { maxNewTokens }),
        ...(temperature !== undefined && { temperature }),
        ...(topK !== undefined && { topK }),
        ...(topP !== undefined && { topP }),
        ...(minP !== undefined && { minP }),
        ...(repetitionPenalty !== undefined && { repetitionPenalty }),
        ...(copyPenalty !== undefined && { copyPenalty }),
        ...(maxCopiedTokens !== undefined && { maxCopiedTokens }),
        ...(seed !== undefined && { seed }),
        ...(threads !== undefined && { threads }),
        signal: session.signal,
        onNotice: session.notice,
      },
    );
    const texts = examples.flatMap(({ id, user }) =>
      Array.from(
        { length: count },
        (_, sample): Text => ({ example: id, user, sample, text: '', tokens: [] }),
      ),
    );
    const { quantised } = opened.model;
    const base = quantised && { baseBits: quantised.bits, products: quantised.products };
    await print(steps, texts, { history, strength: strength ?? 1, count, base }, session);
    for (const text of texts) tellCopies(text, session);
  },
};

/** Says what a text copies from the history, and warns of much. */
function tellCopies({ example, copied }: Text, session: Session): void {
  if (copied === undefined || copied.runs.length === 0) return;
  const items = [...new Set(copied.runs.map(({ item }) => item))].join(', ');
  const share = `${Math.round(100 * copied.share)} % of the words of the text for ${example} are copied from the history (${items})`;
  if (copied.share < MUCH_COPIED) session.note(`${share}.`);
  else session.warn(`${share}; raise --copy-penalty, or lower --strength, for a text of its own`);
}

/** Prints texts in their order: the first unfinished one as it comes, or each as one line of JSON when it is whole. */
async function print(
  steps: AsyncIterable<GeneratedToken>,
  texts: readonly Text[],
  settings: {
    readonly history: boolean;
    readonly strength: number;
    readonly count: number;
    /** In place of f32 linear layers. */
    readonly base: { readonly baseBits: BaseBits; readonly products: Products } | undefined;
  },
  { options: { json }, stdout, print: write }: Session,
): Promise<void> {
  const { history, strength, count, base } = settings;
  const show = (text: string) => write(stdout.isTTY ? terminalText(text) : text);
  const begin = ({ example, sample, text }: Text) => {
    if (json) return;
    if (texts.length > 1) show(`── ${example}${count > 1 ? `, ${sample + 1} of ${count}` : ''}\n`);
    show(text);
  };
  const end = ({ example, user, sample, text, tokens, finish, copied }: Text) => {
    const document = { example, user, sample, history, strength, ...base, text, tokens, finish, copied };
    write(json ? `${JSON.stringify(document)}\n` : '\n');
  };
  let shown = 0;
  begin(texts[0]!);
  for await (const { example, sample, token, text, finish, copied } of steps) {
    const index = example * count + sample;
    const of = texts[index]!;
    of.text += text;
    // The end of a turn has no text of its own.
    if (finish !== 'end-of-turn') of.tokens.push(token);
    if (finish !== undefined) of.finish = finish;
    if (copied !== undefined) of.copied = copied;
    if (index !== shown) continue;
    if (!json) show(text);
    while (texts[shown]?.finish !== undefined) {
      end(texts[shown++]!);
      if (shown < texts.length) begin(texts[shown]!);
    }
  }
}
