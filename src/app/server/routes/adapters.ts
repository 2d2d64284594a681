/** @file Adapters by name: listed, put as files that are checked before anything is kept, removed. */
import { ApiError, invalid } from '../api-error.ts';
import type { ServerContext } from '../context.ts';
import { json, type Route, route } from '../route.ts';
import { checkId } from '../store/ids.ts';
import type { StoredAdapter } from '../store-contract.ts';
import { readBytes } from '../wire/read-body.ts';

const FILES = ['adapter_config.json', 'adapter_model.safetensors', 'nextquill.json'] as const;

const adapterJson = ({ name, hash, owner, created, info }: StoredAdapter) => ({
  object: 'nextquill.adapter',
  name,
  hash,
  owner: owner ?? null,
  created,
  info,
});

export const adapterRoutes: Route[] = [
  route({
    method: 'get',
    path: '/v1/nextquill/adapters',
    access: 'app',
    summary: 'Adapters with their hashes and owners',
    handler: ({ server }) => json({ object: 'list', data: server.store.adapters().map(adapterJson) }),
  }),
  route({
    method: 'put',
    path: '/v1/nextquill/adapters/{name}',
    access: 'admin',
    summary: 'Puts an adapter in PEFT’s layout; running requests keep the one that they began with',
    bodies: ['multipart'],
    handler: async ({ server, request, params }) => {
      const name = params.name!;
      checkId('adapter', name);
      const { files, owner, base } = await adapterForm(request, server.settings.adapterMemory);
      if (base !== undefined && base !== server.model.hash)
        throw new ApiError(409, `base: expected ${server.model.hash}, got another`, {
          code: 'adapter_mismatch',
          param: 'base',
          shouldRetry: false,
        });
      return json(adapterJson(await putAdapter(server, name, files, owner)), 201);
    },
  }),
  route({
    method: 'delete',
    path: '/v1/nextquill/adapters/{name}',
    access: 'admin',
    summary: 'Removes a name; the files go with the last request that uses them',
    handler: async ({ server, params }) => {
      const before = server.store.adapter(params.name!);
      await server.store.removeAdapter(params.name!);
      if (before !== undefined) await server.adapters.unnamed(before.hash);
      return json({ object: 'nextquill.adapter.deleted', name: params.name, deleted: true });
    },
  }),
];

/** Checks and keeps an adapter under a name. */
export async function putAdapter(
  { store, adapters, scheduler }: Pick<ServerContext, 'store' | 'adapters' | 'scheduler'>,
  name: string,
  files: Readonly<Record<string, Uint8Array>>,
  owner?: string,
): Promise<StoredAdapter> {
  const before = store.adapter(name);
  const put = await store.putAdapter({
    name,
    files,
    check: adapters.check,
    ...(owner !== undefined && { owner }),
  });
  // Its shape is compiled now rather than by the first request.
  const hold = await adapters.hold(put);
  try {
    await scheduler.prepare(hold.adapter);
  } finally {
    hold.release();
  }
  if (before !== undefined && before.hash !== put.hash) await adapters.unnamed(before.hash);
  return put;
}

interface AdapterForm {
  readonly files: Record<string, Uint8Array>;
  readonly owner: string | undefined;
  readonly base: string | undefined;
}

async function adapterForm(request: Request, most: number): Promise<AdapterForm> {
  const bytes = await readBytes(request, most);
  let form: FormData;
  try {
    const type = request.headers.get('content-type')!;
    form = await new Response(bytes as Uint8Array<ArrayBuffer>, {
      headers: { 'content-type': type },
    }).formData();
  } catch {
    throw invalid('body', 'multipart/form-data', 'something else');
  }
  const files: Record<string, Uint8Array> = {};
  const texts: Record<string, string> = {};
  for (const [key, value] of form) {
    const isFile = (FILES as readonly string[]).includes(key);
    const isText = key === 'owner' || key === 'base';
    if (!isFile && !isText)
      throw new ApiError(
        400,
        `${key.slice(0, 60)}: expected one of ${[...FILES, 'owner', 'base'].join(', ')}, got another part`,
        {
          code: 'unknown_parameter',
          param: key.slice(0, 60),
        },
      );
    if (isText) {
      if (typeof value !== 'string') throw invalid(key, 'a text', 'a file');
      texts[key] = value;
    } else
      files[key] = typeof value === 'string' ? Buffer.from(value) : new Uint8Array(await value.arrayBuffer());
  }
  for (const name of FILES.slice(0, 2)) if (files[name] === undefined) throw invalid(name, 'a file', 'none');
  const { owner, base } = texts;
  if (owner !== undefined) checkId('user', owner);
  return { files, owner, base };
}
