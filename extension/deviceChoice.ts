// The picker of devices, which writes the setting espalier.device.
import { workspace } from 'vscode';
import { UserError } from '../server/errors';
import type { DeviceList } from './deviceList';
import { deviceRows } from './deviceRows';
import { pickFromComing } from './editorText';

/** Shows what was measured; the last row measures anew and shows it again. */
export async function chooseDevice(devices: DeviceList, measure = false): Promise<void> {
  const settings = workspace.getConfiguration('espalier');
  const now = settings.get('device', 'auto');
  const rows = devices.list(measure).then((report) => [
    ...deviceRows(report).map((row) => ({
      ...row,
      label: row.device === now ? `${row.label} (now)` : row.label,
    })),
    { device: null, label: 'Measure again', description: '', detail: 'Takes a few seconds.', refusal: null },
  ]);
  const picked = await pickFromComing(rows, {
    title: 'Device to Compute On',
    placeHolder: measure ? 'Measuring the devices' : 'Choose what to compute on',
  });
  if (!picked) return;
  if (picked.device === null) return chooseDevice(devices, true);
  if (picked.refusal !== null) throw new UserError('device', picked.refusal);
  await settings.update('device', picked.device, true);
}
