import { type HoldfastError, isHoldfastError, messageOf, systemCode } from '#base';
import { errors } from '../errors.ts';
import { addressOf, type ConnectionSettings } from './settings.ts';

/** What a server error carries (PostgreSQL documentation, "Error and Notice Message Fields"). */
type ServerError = Error & { code: string; routine?: string; severity?: string; detail?: string };

/** SQLSTATE of an error that the server sent, or undefined. */
export function sqlState(error: unknown): string | undefined {
  return isServerError(error) ? error.code : undefined;
}

function isServerError(error: unknown): error is ServerError {
  return (
    error instanceof Error && 'severity' in error && /^[0-9A-Z]{5}$/.test(systemCode(error) ?? '')
  );
}

/**
 * Turns whatever a connection attempt threw into an error of the catalogue. Judged by SQLSTATE and the server's routine,
 * never by texts, which servers translate.
 */
export function connectFailure(
  error: unknown,
  settings: ConnectionSettings,
  purpose: 'replication' | 'sql',
): HoldfastError {
  if (isHoldfastError(error)) return error;
  if (isServerError(error)) return refusedByServer(error, settings, purpose);
  const address = addressOf(settings);
  const text = messageOf(error);
  const code = systemCode(error) ?? '';
  const detail = { cause: error };
  if (text.includes('SASL') && settings.password === undefined) {
    return errors.passwordMissing([settings.user, address], detail);
  }
  if (isTlsFailure(code, text)) return errors.tlsFailed([address, text], detail);
  return errors.unreachable([address, plainWords(code, text)], detail);
}

/** An established connection broke or answered an error to a command. */
export function commandFailure(error: unknown, command: string): HoldfastError {
  if (isHoldfastError(error)) return error;
  if (isServerError(error) && !error.code.startsWith('57P') && !error.code.startsWith('08')) {
    return errors.commandFailed([command, error.message], { cause: error });
  }
  return errors.connectionLost([messageOf(error)], { cause: error });
}

/** True where libpq would try the other of TLS and plain: the server won't talk this way, or has no entry for it. */
export function mayTryOtherTls(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return state === '28000';
  return isTlsFailure(systemCode(error) ?? '', messageOf(error));
}

function refusedByServer(
  error: ServerError,
  settings: ConnectionSettings,
  purpose: 'replication' | 'sql',
): HoldfastError {
  const address = addressOf(settings);
  const detail = { cause: error };
  const who: [string, string] = [settings.user, address];
  switch (error.code) {
    case '28P01':
      return settings.password === undefined
        ? errors.passwordMissing(who, detail)
        : errors.wrongPassword(who, detail);
    case '28000':
      if (error.routine === 'InitializeSessionUserId') return errors.roleMissing(who, detail);
      if (error.routine !== 'ClientAuthentication') break;
      return purpose === 'replication'
        ? errors.noReplicationEntry([...who, error.message], detail)
        : errors.noHostEntry([...who, error.message], detail);
    case '42501':
      if (purpose === 'replication') return errors.notReplicationRole(who, detail);
      break;
    case '53300':
      return purpose === 'replication' && error.routine === 'InitProcess'
        ? errors.noFreeWalSender([address], detail)
        : errors.tooManyConnections([address], detail);
    case '3D000':
      return errors.databaseMissing([settings.database ?? settings.user, address], detail);
    case '57P01':
    case '57P02':
    case '57P03':
      return errors.startingUp([address, withDetail(error)], detail);
  }
  return errors.accessRefused([...who, error.message], detail);
}

/** The reason often stands in the detail: `Hot standby mode is disabled.` */
function withDetail({ message, detail }: ServerError): string {
  return detail === undefined ? message : `${message} (${detail.replace(/\.$/, '')})`;
}

function isTlsFailure(code: string, text: string): boolean {
  return (
    /SSL|TLS|CERT|SELF_SIGNED|ISSUER|ALTNAME/.test(code) ||
    text.includes('does not support SSL') ||
    text.includes('establishing an SSL connection')
  );
}

function plainWords(code: string, text: string): string {
  if (text === 'timeout expired') return 'it did not answer in time';
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return "the host name can't be resolved";
  if (code === 'ENOENT') return 'the socket does not exist';
  return text === '' ? code : text;
}
