// Reports to the host what goes wrong in the page: violations of the content security policy, and errors that nobody caught.
// It is the first import of the entry, so that it also sees what the other modules do while they are loaded.
import type { PageProtocol } from '../server/protocol/pages/page';
import { connectHost } from './host';
import { sentenceOf } from './requests';

export const host = connectHost<PageProtocol>();

document.addEventListener('securitypolicyviolation', (event) =>
  host.tell('page/violation', {
    directive: event.effectiveDirective,
    blocked: event.blockedURI,
    source: `${event.sourceFile}:${event.lineNumber}:${event.columnNumber}`,
  }),
);
window.addEventListener('error', ({ message, error }) => {
  // A chart that is resized while it is being laid out; the browser tries again in the next frame.
  if (!message.startsWith('ResizeObserver loop')) host.tell('page/error', { message, stack: stackOf(error) });
});
window.addEventListener('unhandledrejection', ({ reason }) =>
  host.tell('page/error', { message: sentenceOf(reason), stack: stackOf(reason) }),
);

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? '') : '');
