/** @file Receipts of forgetting: signed by the store's key, checked by whoever has the receipt. */
import { createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto';
import { canonicalJson } from '../../../base/hash.ts';
import type { JsonObject, Receipt } from '../store-contract.ts';
import type { Database } from './database.ts';

const PREFIX = 'ed25519:';

/** A name that sorts by time and is not guessed. */
export function newReceiptId(): string {
  return `rcpt_${Date.now().toString(36)}${randomBytes(10).toString('hex')}`;
}

/** Adds `publicKey` and `signature`, over the canonical JSON of all the rest. @param signingKey PKCS #8 */
export function signReceipt(receipt: Receipt, signingKey: Uint8Array): Receipt {
  const key = createPrivateKey({ key: Buffer.from(signingKey), type: 'pkcs8', format: 'der' });
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
  const signed = { ...receipt, publicKey: `${PREFIX}${publicKey}` };
  const signature = sign(null, Buffer.from(canonicalJson(signed)), key).toString('base64');
  return { ...signed, signature: `${PREFIX}${signature}` };
}

/** Whether nobody has changed a receipt since the store that has this public key signed it. */
export function isReceiptGenuine(receipt: JsonObject, publicKey = receipt.publicKey): boolean {
  const { signature, ...signed } = receipt;
  if (signed.publicKey !== publicKey) return false;
  const bytes = (text: unknown) => Buffer.from(String(text).slice(PREFIX.length), 'base64');
  try {
    const key = createPublicKey({ key: bytes(publicKey), type: 'spki', format: 'der' });
    return verify(null, Buffer.from(canonicalJson(signed)), key, bytes(signature));
  } catch {
    return false;
  }
}

export function receiptOf(db: Database, id: string): Receipt | undefined {
  const row = db.get('SELECT body FROM receipts WHERE id = ?', id);
  return row && (JSON.parse(row.body as string) as Receipt);
}

/** Receipts of forgettings that a kill cut off after their transaction. */
export function pendingReceipts(db: Database): readonly Receipt[] {
  const rows = db.all("SELECT body FROM receipts WHERE body ->> 'status' = 'pending' ORDER BY id");
  return rows.map(({ body }) => JSON.parse(body as string) as Receipt);
}

/** Writes a receipt, in place of the one with its id. */
export function keepReceipt(db: Database, receipt: Receipt): void {
  db.run(
    'INSERT OR REPLACE INTO receipts (id, time, body) VALUES (?, ?, ?)',
    receipt.id,
    String(receipt.time),
    JSON.stringify(receipt),
  );
}
