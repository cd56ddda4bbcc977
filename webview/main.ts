// The last part of the pages' script: asks the host what to show, and shows that page. The build makes the script from the
// error reporter, the page.ts of every folder, and this file. The host serves dist/webview.js and dist/webview.css in a
// document such as
//   <head> <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'nonce-N';
//            style-src CSPSOURCE 'nonce-N'; font-src CSPSOURCE; img-src CSPSOURCE">
//          <meta property="csp-nonce" content="N">      the toolkit asks for it before it tries a selector
//          <link rel="stylesheet" href="webview.css"> </head>
//   <body data-page="chooseBlocks"> <main></main> <script nonce="N" src="webview.js"></script> </body>
// The page asks page/open; everything else follows from the answer.
import { host } from './errorReporter';
import { mountPage } from './pages';
import { sentenceOf } from './requests';

const root = document.querySelector('main') ?? document.body.appendChild(document.createElement('main'));
void host.ask('page/open', {}).then(
  (opened) => {
    mountPage(root, host, opened.page, opened.state);
    painted();
  },
  (error) => {
    root.className = 'panel';
    root.textContent = sentenceOf(error);
  },
);

/** After the frame in which the page first showed something. */
function painted(): void {
  requestAnimationFrame(() =>
    setTimeout(() => host.tell('page/painted', { atEpochMs: Date.now(), scriptMs: performance.now() })),
  );
}
