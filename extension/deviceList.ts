// The devices of the machine that the server runs on. They are fetched when the server connects, since the first look measures
// them and takes seconds; picker and status bar read them here.
import { type Disposable, EventEmitter, type LogOutputChannel, workspace } from 'vscode';
import type { DeviceChoice, DevicesReport } from '../server/protocol/devices';
import type { Connection } from './connection';
import { chosenBy } from './deviceRows';
import type { Settings } from './settings';

export interface DeviceList extends Disposable {
  /** What runs compute on by the setting, and why; null: not known yet. */
  chosen(): DeviceChoice | null;
  onChange(listener: () => void): Disposable;
  /** @param measure anew, even where it is known */
  list(measure: boolean): Promise<DevicesReport>;
}

export function openDeviceList(connection: Connection, settings: Settings, log: LogOutputChannel): DeviceList {
  const changed = new EventEmitter<void>();
  let report: DevicesReport | null = null;
  const list = async (measure: boolean) => {
    await connection.ready();
    report = await connection.request('devices/list', { measure });
    changed.fire();
    return report;
  };
  const listening = [
    connection.onState(({ state }) => {
      if (state === 'connected' && !report)
        list(false).catch((error) => log.warn(`devices could not be listed: ${error?.message ?? error}`));
    }),
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration('espalier.device')) changed.fire();
    }),
  ];
  return {
    chosen: () => report && chosenBy(settings.compute().device, report),
    onChange: changed.event,
    list,
    dispose() {
      for (const each of listening) each.dispose();
      changed.dispose();
    },
  };
}
