/** @file What this machine brings for the work: processor, memory, engine, caches, and what the environment says of the network. */
import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { defaultCacheFolder } from '../../base/cache-folder.ts';
import type { Device } from '../../base/device.ts';
import { exists } from '../../base/exists.ts';
import { checkOnDevice, type DeviceCheck } from '../../engine/models/device-check.ts';
import { runtimeProviders, runtimeVersion } from '../../engine/runtime/version.ts';
import { memoryLimit } from '../../method/training/memory/training-memory.ts';
import { type FoundPython, findPython, type TorchReport, torchReport } from '../launch/python-env.ts';
import {
  type Environment,
  hubCacheFolder,
  hubEndpoint,
  hubToken,
  isOffline,
} from '../open/hub/environment.ts';
import { embeddedModelFolder } from '../open/model-source.ts';

/** Python as `NEXTQUILL_PYTHON` names it; packages that are not installed are null. */
export type PythonReport =
  | { readonly executable: string; readonly error: string }
  | {
      readonly executable: string;
      readonly version: string;
      readonly packages: Readonly<Record<string, string | null>>;
    };

/** What `nextquill doctor --json` prints. No secret is in it: of a token whether there is one, of a proxy its address without a password. */
export interface MachineReport {
  readonly nextquill: string;
  readonly node: string;
  readonly platform: string;
  readonly cpu: { readonly model: string; readonly cores: number };
  readonly memory: { readonly totalBytes: number; readonly availableBytes: number };
  readonly onnxRuntime: {
    readonly version: string;
    readonly providers: readonly string[];
    readonly providersNotBundled: readonly string[];
  };
  /** One tiny training step on the device that was asked for, and on the processor; absent where none was. */
  readonly selfCheck?: DeviceCheck & { readonly device: Device };
  readonly cache: { readonly folder: string; readonly files: number; readonly bytes: number };
  readonly embeddedModel: { readonly folder: string; readonly isPresent: boolean };
  readonly hub: {
    readonly endpoint: string;
    readonly cache: string;
    readonly isOffline: boolean;
    /** `invalid` where there is one that cannot be one, and `message` says why. */
    readonly token: 'present' | 'none' | 'invalid';
    readonly message?: string;
  };
  /** Addresses by variable. */
  readonly proxies: Readonly<Record<string, string>>;
  /** Absent where NEXTQUILL_PYTHON is not set. */
  readonly python?: PythonReport;
  /** The Python of `--engine torch`, and what it says of itself; absent where there is none. */
  readonly torch?: FoundPython & (TorchReport | { readonly error: string });
}

/**
 * Looks at this machine; nothing is sent, and nothing is changed.
 * @param device one to check
 * @throws {EngineError} `engine/device` when it is not there, or cannot run the step
 */
export async function machineReport(env: Environment, device?: Device): Promise<MachineReport> {
  const [first] = cpus();
  const { bundled, notBundled } = runtimeProviders();
  const packageFile = new URL('../../../package.json', import.meta.url);
  const { version } = JSON.parse(await readFile(packageFile, 'utf8')) as { version: string };
  const folder = defaultCacheFolder();
  return {
    nextquill: version,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: { model: first?.model.trim() || 'unknown', cores: cpus().length },
    memory: { totalBytes: totalmem(), availableBytes: memoryLimit() },
    onnxRuntime: { version: runtimeVersion, providers: bundled, providersNotBundled: notBundled },
    ...(device && { selfCheck: { device, ...(await checkOnDevice(device)) } }),
    cache: { folder, ...(await sizeOfFolder(folder)) },
    embeddedModel: {
      folder: embeddedModelFolder,
      isPresent: await exists(join(embeddedModelFolder, 'config.json')),
    },
    hub: await hubReport(env),
    proxies: proxiesOf(env),
    ...(env.NEXTQUILL_PYTHON && { python: await pythonReport(env.NEXTQUILL_PYTHON) }),
    ...(await torchOf(env)),
  };
}

async function torchOf(env: Environment): Promise<Pick<MachineReport, 'torch'>> {
  const found = await findPython(undefined, env);
  if (found === undefined) return {};
  try {
    return { torch: { ...found, ...(await torchReport(found)) } };
  } catch (error) {
    return { torch: { ...found, error: (error as Error).message } };
  }
}

async function hubReport(env: Environment): Promise<MachineReport['hub']> {
  const fixed = { cache: hubCacheFolder(env), isOffline: isOffline(env) };
  try {
    const endpoint = hubEndpoint(env);
    const token = (await hubToken(env)) === undefined ? 'none' : 'present';
    return { endpoint, ...fixed, token };
  } catch (error) {
    // Of the endpoint or the token; neither message holds the token.
    return {
      endpoint: env.HF_ENDPOINT ?? '',
      ...fixed,
      token: 'invalid',
      message: (error as Error).message,
    };
  }
}

const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'];

function proxiesOf(env: Environment): Record<string, string> {
  const names = PROXIES.flatMap((name) => [name, name.toLowerCase()]).filter((name) => env[name]);
  return Object.fromEntries(names.map((name) => [name, withoutPassword(env[name]!)]));
}

function withoutPassword(address: string): string {
  return address.replace(/^([a-z0-9]+:\/\/)?[^@/]*@/i, '$1');
}

/** Files and bytes below a folder; what cannot be read counts as nothing. */
async function sizeOfFolder(folder: string): Promise<{ files: number; bytes: number }> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        stat(join(entry.parentPath, entry.name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

const PACKAGES = ['torch', 'transformers', 'peft', 'safetensors', 'numpy'];

const PROGRAM = `
import importlib.metadata as m, json, platform, sys
def version(name):
    try:
        return m.version(name)
    except m.PackageNotFoundError:
        return None
print(json.dumps({"version": platform.python_version(), "packages": {n: version(n) for n in sys.argv[1:]}}))
`;

const PYTHON_MILLISECONDS = 20_000;

async function pythonReport(executable: string): Promise<PythonReport> {
  try {
    const { stdout } = await promisify(execFile)(executable, ['-c', PROGRAM, ...PACKAGES], {
      timeout: PYTHON_MILLISECONDS,
    });
    const found = JSON.parse(stdout) as { version: string; packages: Record<string, string | null> };
    return { executable, ...found };
  } catch (error) {
    return { executable, error: (error as Error).message.trim().split('\n')[0]! };
  }
}
