declare module 'sodium-native' {
  const sodium: {
    crypto_onetimeauth(out: Uint8Array, input: Uint8Array, key: Uint8Array): void;
    /** Bytes of the state of an authentication in parts. */
    crypto_onetimeauth_STATEBYTES: number;
    crypto_onetimeauth_init(state: Uint8Array, key: Uint8Array): void;
    crypto_onetimeauth_update(state: Uint8Array, input: Uint8Array): void;
    crypto_onetimeauth_final(state: Uint8Array, out: Uint8Array): void;
    crypto_onetimeauth_verify(mac: Uint8Array, input: Uint8Array, key: Uint8Array): boolean;
  };
  export default sodium;
}
