declare module 'sodium-native' {
  const sodium: {
    crypto_onetimeauth(out: Uint8Array, input: Uint8Array, key: Uint8Array): void;
    crypto_onetimeauth_verify(mac: Uint8Array, input: Uint8Array, key: Uint8Array): boolean;
  };
  export default sodium;
}
