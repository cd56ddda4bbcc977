// What every page says of the connection to the compute server, with the way on.
import { html, nothing } from 'lit';
import type { ConnectionState } from '../../server/protocol/pages/page';
import { link } from './controls';
import { icon } from './icons';

/** Nothing while all is well. Numbers on the page stay true without a connection, so it only says what waits. */
export function connectionNotice(connection: ConnectionState, act: { restart: () => void; openLog: () => void }) {
  const note = (text: string, ...ways: unknown[]) =>
    html`<p class="note" id="connection">
      ${icon('warning', 'warn')}<span>${text}</span><span class="grow"></span><span class="nowrap">${ways}</span>
    </p>`;
  const stays = 'Earlier results are kept; nothing new can be measured until it is back.';
  switch (connection.state) {
    case 'connected':
      return nothing;
    case 'starting':
      return html`<p class="note quiet-note" id="connection">
        ${icon('sync', 'spin')}<span>The compute server is starting.</span>
      </p>`;
    case 'reconnecting':
      return note(
        `The connection to the compute server is lost; trying again (${connection.attempt}). ${stays}`,
        link('Open Log', act.openLog),
      );
    case 'stopped':
      return note(`The compute server is stopped. ${stays}`, link('Start It', act.restart));
    case 'failed':
      return note(
        `The compute server cannot be reached: ${connection.message}`,
        link('Try Again', act.restart),
        ' · ',
        link('Open Log', act.openLog),
      );
  }
}
