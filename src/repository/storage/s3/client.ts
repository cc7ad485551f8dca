/** The client of one bucket's server: its address, its certificates, its timeouts. Retries are left to who calls. */
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { messageOf } from '#base';
import type { S3Address } from './address.ts';
import { s3Errors } from './errors.ts';
import type { S3Options } from './options.ts';

const CONNECT_WITHIN_MS = 10_000;
const IDLE_MS = 60_000;

/** More sockets than requests at once: the limit is kept before a request begins, so that none waits in a timeout. */
const SPARE_SOCKETS = 4;

/** What failed is thrown: the SDK would tell it on the terminal, too. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export function makeClient(address: S3Address, options: S3Options, connections: number): S3Client {
  const region = options.region ?? address.region ?? regionOfEnvironment();
  const agent = {
    keepAlive: true,
    maxSockets: connections + SPARE_SOCKETS,
    ...caOf(options),
  };
  const byPath = options.addressing ? options.addressing === 'path' : !address.isAws;
  return new S3Client({
    region,
    // Amazon's own endpoints follow from the region, also where a global host was named.
    ...(!address.isAws && { endpoint: address.endpoint }),
    forcePathStyle: byPath,
    ...credentialsOf(options),
    maxAttempts: 1,
    // Bytes are signed by their SHA-256 and carry a checksum that we choose; what is read is verified by its name.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    logger: SILENT,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECT_WITHIN_MS,
      socketTimeout: options.idleTimeoutMs ?? IDLE_MS,
      httpAgent: new http.Agent(agent),
      httpsAgent: new https.Agent(agent),
    }),
  });
}

function regionOfEnvironment(): string {
  return process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || 'us-east-1';
}

function credentialsOf({ credentials }: S3Options) {
  if (!credentials) return {};
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    credentials: {
      accessKeyId,
      secretAccessKey: secretAccessKey.reveal(),
      ...(sessionToken && { sessionToken: sessionToken.reveal() }),
    },
  };
}

function caOf(options: S3Options): { ca?: Buffer } {
  const file = options.caFile ?? process.env.AWS_CA_BUNDLE;
  if (!file) return {};
  try {
    return { ca: fs.readFileSync(file) };
  } catch (error) {
    throw s3Errors.optionInvalid(['s3.ca', messageOf(error)], { cause: error });
  }
}
