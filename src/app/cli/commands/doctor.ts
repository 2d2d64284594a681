/** @file `nextquill doctor`: what this machine can do, for people and for reports of faults. */
import { mebibytes } from '../../../base/bytes.ts';
import { checkDevice } from '../../../base/device.ts';
import { ConfigError, ContractError } from '../../../base/errors.ts';
import { takeDevice } from '../../../engine/models/device-check.ts';
import { alignedColumns } from '../../../reports/comparison/comparison-table.ts';
import { terminalText } from '../../../reports/text/terminal-text.ts';
import { type MachineReport, machineReport, type PythonReport } from '../../doctor/machine-report.ts';
import { isRemoteSource } from '../../remote/address.ts';
import type { ProbeCheck } from '../../remote/probe.ts';
import type { CliCommand, Session } from '../command.ts';
import { addFlag } from '../flags.ts';
import { addRemoteFlags, openRemoteModel, type RemoteFlags, refuseRemoteFlags } from '../remote-flags.ts';
import { deviceLine } from '../scoring.ts';

interface DoctorFlags extends RemoteFlags {
  readonly model?: string;
}

export const doctorCommand: CliCommand = {
  define: (command) => {
    addFlag(command, '--model <URL>', 'a server’s model: shows what it gives, in place of the machine');
    addRemoteFlags(command);
    command.addHelpText(
      'after',
      '\nNothing is sent or changed. No secret is printed: of a token, whether there is one.\n' +
        'NEXTQUILL_PYTHON names a Python whose packages are listed too.\n' +
        '--device runs one tiny training step there and on the processor; where they differ, the exit code is 3.',
    );
  },
  run: async (_operands, flags, session) => {
    const { model, ...given } = flags as DoctorFlags;
    if (model !== undefined) return showServer(model, given, session);
    refuseRemoteFlags(given);
    const { device } = session.options;
    if (device !== undefined) checkDevice(device, '--device');
    const taken = device && (await takeDevice(device));
    if (taken !== undefined) session.note(deviceLine(taken));
    const report = await machineReport(process.env, taken?.device);
    session.print(session.options.json ? `${JSON.stringify(report)}\n` : table(report));
    const { selfCheck } = report;
    if (selfCheck !== undefined && !selfCheck.passed)
      throw new ContractError(
        `device ${selfCheck.device}: expected the processor’s loss and gradients, got a loss of ${selfCheck.loss} for ${selfCheck.cpuLoss} and a gradient norm of ${selfCheck.gradientNorm} for ${selfCheck.cpuGradientNorm}`,
        { code: 'device/self-check', hint: 'Use --device cpu; a newer driver may help.' },
      );
  },
};

/** What the probe of a server finds; the first thing that is not as it must be is the error. */
async function showServer(model: string, flags: RemoteFlags, session: Session): Promise<void> {
  if (!isRemoteSource(model))
    throw new ConfigError(`--model: expected the address of a server, got "${model}"`, {
      code: 'usage/server',
      hint: 'Name it as http://127.0.0.1:8000/v1; models that are here are opened by effects and audit.',
    });
  const show = ({ name, passed, found }: ProbeCheck) =>
    session.print(`${passed ? '✓' : '✗'} ${name.padEnd(17)} ${terminalText(found)}\n`);
  const isJson = session.options.json === true;
  const { probe, model: opened } = await openRemoteModel(
    model,
    flags,
    session,
    isJson ? {} : { onCheck: show },
  );
  const { maxTokens = opened.config.maxPositions } = probe;
  if (isJson) session.print(`${JSON.stringify({ url: opened.folder, ...probe, maxTokens })}\n`);
  else session.print(`effects, audit, evaluate, explain and refute can use it, up to ${maxTokens} tokens\n`);
}

function table(report: MachineReport): string {
  const { memory, onnxRuntime, cache, embeddedModel, hub, proxies, python, torch } = report;
  const list = (values: readonly string[]) => values.join(', ') || 'none';
  const rows: [string, string][] = [
    ['nextquill', report.nextquill],
    ['node', `${report.node}, ${report.platform}`],
    ['processor', `${report.cpu.cores} cores, ${report.cpu.model}`],
    ['memory', `${mebibytes(memory.availableBytes)} available of ${mebibytes(memory.totalBytes)}`],
    ['ONNX Runtime', `${onnxRuntime.version}; ${list(onnxRuntime.providers)}`],
    ['  not bundled', list(onnxRuntime.providersNotBundled)],
    ...(report.selfCheck === undefined ? [] : [selfCheckRow(report.selfCheck)]),
    ['cache', `${cache.folder}: ${mebibytes(cache.bytes)} in ${cache.files} files`],
    ['embedded model', embeddedModel.isPresent ? embeddedModel.folder : `missing: ${embeddedModel.folder}`],
    ['hub', `${hub.endpoint}${hub.isOffline ? ', offline' : ''}, cache ${hub.cache}`],
    ['hub token', hub.message === undefined ? hub.token : `${hub.token}: ${hub.message}`],
    ['proxies', list(Object.entries(proxies).map(([name, address]) => `${name}=${address}`))],
    [
      'PyTorch',
      torch === undefined ? 'none ("nextquill setup torch" makes an environment)' : torchLine(torch),
    ],
    ['Python', python === undefined ? 'none (NEXTQUILL_PYTHON is not set)' : pythonLine(python)],
  ];
  const lines = alignedColumns(
    rows.map(([name, value]) => [name, terminalText(value)]),
    () => false,
  );
  return `${lines.join('\n')}\n`;
}

function selfCheckRow(check: NonNullable<MachineReport['selfCheck']>): [string, string] {
  const { device, passed, loss, cpuLoss, gradientNorm, cpuGradientNorm, gradientError } = check;
  const six = (value: number) => value.toPrecision(6);
  return [
    '  self-check',
    `${device} ${passed ? 'passed' : 'failed'}: loss ${six(loss)} (processor ${six(cpuLoss)}), gradient norm ${six(gradientNorm)} (${six(cpuGradientNorm)}), gradients differ by ${gradientError.toExponential(1)}`,
  ];
}

function torchLine(torch: NonNullable<MachineReport['torch']>): string {
  if ('error' in torch) return String(torch.error);
  const { versions, hardware, executable, place } = torch;
  const names = hardware.map(({ device, name }) => `${device} (${name})`).join(', ');
  return `${versions.torch}; ${names}; Python ${versions.python} (${executable}, by ${place})`;
}

function pythonLine(python: PythonReport): string {
  if ('error' in python) return `${python.executable} does not work: ${python.error}`;
  const packages = Object.entries(python.packages).map(([name, version]) => `${name} ${version ?? 'none'}`);
  return `${python.version} (${python.executable}); ${packages.join(', ')}`;
}
