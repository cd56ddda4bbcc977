// Renders when something has changed, together with the next frame, and at most thirty times a second.

const leastMs = 1000 / 30;

/** Asks for a rendering; any number of calls before it happens are one. */
export function renderer(render: () => void): () => void {
  let last = Number.NEGATIVE_INFINITY;
  let waiting = false;
  const frame = (now: number) => {
    if (now - last < leastMs - 2) {
      requestAnimationFrame(frame);
      return;
    }
    waiting = false;
    last = now;
    render();
  };
  return () => {
    if (waiting) return;
    waiting = true;
    // A hidden page gets no frames; it renders once it is seen again.
    requestAnimationFrame(frame);
  };
}
