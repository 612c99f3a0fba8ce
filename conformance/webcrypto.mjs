// Debian 12's node 18 has WebCrypto, though not yet where libraries look for it. Imported first.
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;
