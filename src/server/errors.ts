import { errorCatalogue } from '#base';

export const errors = errorCatalogue('server', {
  unauthorized: {
    kind: 'refused',
    message: () => 'the token is missing or wrong',
    guidance: 'The token of this server lies in its state folder: token. Set HOLDFAST_TOKEN.',
  },
  invalidRequest: {
    kind: 'invalid',
    message: (what: string) => `the request is invalid: ${what}`,
    guidance: 'The shape of each request lies in openapi.json.',
  },
  noSuchRoute: {
    kind: 'not-found',
    message: (method: string, path: string) => `there is no ${method} ${path}`,
    guidance: 'The routes are listed in openapi.json. Client and server may differ in version.',
  },
  tooLarge: {
    kind: 'invalid',
    message: () => 'the request is too large',
    guidance: 'At most 1 MiB is taken.',
  },
  unexpected: {
    kind: 'failed',
    message: () => 'the server met an error that it did not expect',
    guidance: "Its log lies in the server's state folder: server.log.",
  },
});
