/** What can go wrong with a bucket, in words for whoever operates it. */
import { errorCatalogue } from '#base';

export const s3Errors = errorCatalogue('s3', {
  addressInvalid: {
    kind: 'invalid',
    message: (why: string, _forms: string) => `this S3 address can't be used: ${why}`,
    guidance: (_why: string, forms: string) => forms,
  },
  optionInvalid: {
    kind: 'invalid',
    message: (option: string, why: string) => `the option ${option} can't be used: ${why}`,
    guidance: 'See `holdfast repo init --help` for the options of buckets.',
  },
  bucketMissing: {
    kind: 'not-found',
    message: (bucket: string, endpoint: string) => `there is no bucket "${bucket}" at ${endpoint}`,
    guidance: (bucket: string, endpoint: string) =>
      `Check its name, or make it: aws s3api create-bucket --endpoint-url ${endpoint} --bucket ${bucket}`,
  },
  credentialsMissing: {
    kind: 'refused',
    message: (location: string) => `no credentials for ${location} were found`,
    guidance:
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE for a profile of ~/.aws/credentials.',
  },
  credentialsRefused: {
    kind: 'refused',
    message: (location: string, why: string) => `${location} refuses the credentials: ${why}`,
    guidance:
      'Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: the key is unknown there, has ended, or its secret is another one.',
  },
  denied: {
    kind: 'refused',
    message: (operation: string, name: string, location: string) =>
      `${operation} ${name} in ${location}: access denied`,
    guidance:
      'The credentials lack this right. `holdfast repo policy` prints the policy that is needed.',
  },
  elsewhere: {
    kind: 'invalid',
    message: (location: string, region: string) =>
      `the bucket of ${location} lies in another region${region && `: ${region}`}`,
    guidance: (_location: string, region: string) =>
      `Set AWS_REGION=${region || 'the region of the bucket'} (or \`-o s3.region=…\`).`,
  },
  clockSkewed: {
    kind: 'failed',
    message: (location: string) => `${location} refuses requests: this machine's clock is wrong`,
    guidance: 'Set the clock of this machine (`timedatectl set-ntp true`), then run it again.',
  },
  certificateRefused: {
    kind: 'failed',
    message: (location: string, why: string) =>
      `the certificate of ${location} isn't trusted: ${why}`,
    guidance:
      'Name the file of who signed it by AWS_CA_BUNDLE (or `-o s3.ca=FILE`); check that the address has the name that the certificate was made for.',
  },
  notTls: {
    kind: 'failed',
    message: (location: string) => `${location} doesn't speak TLS`,
    guidance: 'Write `s3:http://…` where the server has no certificate and the network is trusted.',
  },
  hostUnknown: {
    kind: 'failed',
    message: (location: string, host: string) => `the host ${host} of ${location} is unknown`,
    guidance: 'Check the address and the name server of this machine.',
  },
  unreachable: {
    kind: 'failed',
    message: (location: string) => `nothing answers at ${location}`,
    guidance: 'Check host and port, and that the server runs.',
  },
  archived: {
    kind: 'failed',
    message: (name: string, location: string) =>
      `${name} lies in an archive class of ${location} and can't be read at once`,
    guidance: 'Bring it back first: aws s3api restore-object. Choose a class that answers at once.',
  },
  versioningOff: {
    kind: 'refused',
    message: (bucket: string, _words: string, endpoint: string) =>
      `nothing can be locked in the bucket "${bucket}" at ${endpoint}: it keeps no versions`,
    guidance: (bucket: string, words: string, _endpoint: string) =>
      `Run: aws s3api put-bucket-versioning${words} --bucket ${bucket} --versioning-configuration Status=Enabled`,
  },
  lockOff: {
    kind: 'refused',
    message: (bucket: string, _words: string, endpoint: string) =>
      `nothing can be locked in the bucket "${bucket}" at ${endpoint}: Object Lock is off`,
    guidance: (bucket: string, words: string, _endpoint: string) =>
      `Run: aws s3api put-object-lock-configuration${words} --bucket ${bucket} --object-lock-configuration ObjectLockEnabled=Enabled. Where the server refuses that for a bucket that exists, make a new one: aws s3api create-bucket${words} --bucket ${bucket}-locked --object-lock-enabled-for-bucket`,
  },
  timeless: {
    kind: 'failed',
    message: (location: string) => `${location} doesn't tell its time`,
    guidance: 'Something between here and the server takes the Date from its answers.',
  },
  rejected: {
    kind: 'failed',
    message: (operation: string, name: string, location: string, why: string) =>
      `${operation} ${name} in ${location} was rejected: ${why}`,
    guidance: 'Trying again would not help: the server takes the request for wrong.',
  },
  closed: {
    kind: 'interrupted',
    message: (location: string) => `${location} was closed while it was in use`,
    guidance: 'Run it again: nothing that was acknowledged is lost.',
  },
});
