// The devices of this machine, as readers see them: measuring one takes seconds, and a driver may hang.
import type { DeviceChoice, DevicesReport } from '../protocol/devices';
import type { Readers } from '../readerClient/readers';

export interface Devices {
  /** What `auto` is. Where that cannot be found out it is the CPU, and is asked again the next time. Never rejects. */
  choice(): Promise<DeviceChoice>;
  /** @param measure anew, even where it is known */
  list(measure: boolean): Promise<DevicesReport>;
  /** How fast one was measured to be; null: it was not yet. */
  operationsPerSecond(device: string): number | null;
}

export function openDevices(readers: Readers, log: (text: string) => void): Devices {
  // A client of its own among those of the readers, so that nobody's requests wait for a measurement.
  const read = readers.forClient({}, new AbortController().signal);
  let choice: Promise<DeviceChoice> | null = null;
  let listed: DevicesReport | null = null;
  const ask = async (): Promise<DeviceChoice> => {
    try {
      return await read('chooseDevice', {});
    } catch (error) {
      choice = null;
      const { message } = error as Error;
      log(`the device could not be chosen: ${message}`);
      return { device: 'cpu', reason: `auto is the CPU; the devices could not be measured: ${message}` };
    }
  };
  return {
    choice() {
      choice ??= ask();
      return choice;
    },
    async list(measure) {
      const report = await read('listDevices', { measure });
      choice = Promise.resolve(report.auto);
      listed = report;
      return report;
    },
    operationsPerSecond(device) {
      const facts = listed?.devices.find((each) => each.device === device);
      return facts?.state === 'usable' ? facts.operationsPerSecond : null;
    },
  };
}
