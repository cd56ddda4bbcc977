// One floating box with text about what the pointer is on. Screen readers ignore it: the same text is in the label of the
// element itself.

let box: HTMLElement | null = null;

export function showTip(text: string, { clientX, clientY }: { clientX: number; clientY: number }): void {
  if (!box) {
    box = document.createElement('div');
    box.className = 'tip';
    box.setAttribute('role', 'presentation');
    document.body.append(box);
  }
  box.hidden = false;
  box.textContent = text;
  const within = (at: number, length: number, room: number) => `${Math.max(0, Math.min(at + 14, room - length - 8))}px`;
  box.style.left = within(clientX, box.offsetWidth, window.innerWidth);
  box.style.top = within(clientY, box.offsetHeight, window.innerHeight);
}

export function hideTip(): void {
  if (box) box.hidden = true;
}
