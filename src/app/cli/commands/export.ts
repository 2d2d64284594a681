/** @file `nextquill export`: merged weights, a PEFT folder or a GGUF adapter for other tools. */
import { ConfigError } from '../../../base/errors.ts';
import { type ExportDtype, type ExportFormat, exportModel } from '../../files/export-model.ts';
import { MODEL_WORDS } from '../../open/model-words.ts';
import type { CliCommand } from '../command.ts';
import { addFlag, addForceFlag, oneOf, required } from '../flags.ts';
import { openingOf } from '../scoring.ts';

interface ExportFlags {
  readonly model?: string;
  readonly adapter?: string;
  readonly out?: string;
  readonly format?: ExportFormat;
  readonly dtype?: ExportDtype;
  readonly maxShardSize?: number;
  readonly force?: boolean;
}

const formats: readonly ExportFormat[] = ['merged', 'peft', 'gguf-lora'];
const dtypes: readonly ExportDtype[] = ['f32', 'f16', 'bf16'];

export const exportCommand: CliCommand = {
  define: (command) => {
    addFlag(command, '--model <M>', MODEL_WORDS);
    addFlag(command, '--adapter <folder>', 'LoRA adapter of a run, or one made by PEFT');
    addFlag(command, '--out <path>', 'a folder, or FILE.gguf for gguf-lora');
    addFlag(
      command,
      '--format <name>',
      `${formats.join(', ')} (default: gguf-lora for FILE.gguf, else merged)`,
      (flag) => oneOf(flag, formats),
    );
    addFlag(command, '--dtype <name>', 'of merged weights: f32, f16 or bf16 (default: f32)', (flag) =>
      oneOf(flag, dtypes),
    );
    addFlag(
      command,
      '--max-shard-size <size>',
      'largest file of merged weights, such as 500MB (default: 5GB)',
      (flag) => (text) => byteSize(flag, text),
    );
    addForceFlag(command);
    command.addHelpText(
      'after',
      '\nExamples:\n  nextquill export --model embedded --adapter runs/a/adapter --out merged --dtype bf16\n' +
        '  nextquill export --model m.gguf --adapter runs/a/adapter --out adapter.gguf   # llama-cli -m m.gguf --lora adapter.gguf\n' +
        'What is exported has learnt from users’ texts. Keep it as private as the data.',
    );
  },
  run: async (_operands, flags, session) => {
    const given = flags as ExportFlags;
    const model = required(given.model, '--model', `Name ${MODEL_WORDS}.`);
    const out = required(given.out, '--out', 'Name a new folder, or FILE.gguf for a GGUF adapter.');
    const format = given.format ?? (out.endsWith('.gguf') ? 'gguf-lora' : 'merged');
    const result = await exportModel(model, {
      out,
      format,
      ...openingOf(session),
      ...(given.adapter !== undefined && { adapter: given.adapter }),
      ...(given.dtype !== undefined && { dtype: given.dtype }),
      ...(given.maxShardSize !== undefined && { maxShardBytes: given.maxShardSize }),
      ...(given.force !== undefined && { force: given.force }),
    });
    if (session.options.json) session.print(`${JSON.stringify(result)}\n`);
    else
      session.print(`${result.format}: ${(result.bytes / 1e6).toFixed(1)} MB\n${result.files.join('\n')}\n`);
  },
};

/** Bytes of a size such as `500MB` (powers of 1000) or `2GiB` (powers of 1024). */
function byteSize(flag: string, text: string): number {
  const [, digits, prefix = '', binary] = /^(\d+(?:\.\d+)?)\s*(?:([KMG])(i)?)?B?$/i.exec(text.trim()) ?? [];
  const bytes = Number(digits) * (binary ? 1024 : 1000) ** ['', 'K', 'M', 'G'].indexOf(prefix.toUpperCase());
  if (bytes >= 1) return Math.floor(bytes);
  throw new ConfigError(`${flag}: expected a size such as 500MB or 5GB, got "${text}"`, {
    code: 'usage/size',
    hint: `Write ${flag} as a number with B, KB, MB or GB.`,
  });
}
