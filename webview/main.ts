// The pages' entry. The host serves dist/webview.js and dist/webview.css in a document such as
//   <head> <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'nonce-N';
//            style-src CSPSOURCE 'nonce-N'; font-src CSPSOURCE; img-src CSPSOURCE">
//          <meta property="csp-nonce" content="N">      the toolkit asks for it before it tries a selector
//          <link rel="stylesheet" href="webview.css"> </head>
//   <body data-page="chooseBlocks"> <main></main> <script nonce="N" src="webview.js"></script> </body>
// with data-page one of chooseBlocks, try and run. The page asks page/open; everything else follows from the answer.
import { connectHost, sentenceOf } from './host';

const host = connectHost();

document.addEventListener('securitypolicyviolation', (event) =>
  host.tell('page/violation', {
    directive: event.effectiveDirective,
    blocked: event.blockedURI,
    source: `${event.sourceFile}:${event.lineNumber}:${event.columnNumber}`,
  }),
);
window.addEventListener('error', ({ message, error }) =>
  host.tell('page/error', { message, stack: (error as Error | null)?.stack ?? '' }),
);
window.addEventListener('unhandledrejection', ({ reason }) =>
  host.tell('page/error', { message: sentenceOf(reason), stack: (reason as Error | null)?.stack ?? '' }),
);

const root = document.querySelector('main') ?? document.body.appendChild(document.createElement('main'));
void host.ask('page/open', {}).then(
  (opened) => {
    root.textContent = opened.page;
    painted();
  },
  (error) => {
    root.textContent = sentenceOf(error);
  },
);

/** After the frame in which the page first showed something. */
function painted(): void {
  requestAnimationFrame(() =>
    setTimeout(() => host.tell('page/painted', { atEpochMs: Date.now(), scriptMs: performance.now() })),
  );
}
