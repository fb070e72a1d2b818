// Image files that people choose, drop or paste.

import { element } from './view';

/** Calls back with each file, and of a drop that brings none. */
export function acceptFiles(take: (file: File) => void, refuse: () => void): void {
  const input = element<HTMLInputElement>('file');
  input.addEventListener('change', () => {
    takeFirst(input.files, take);
    input.value = '';
  });
  document.addEventListener('paste', (event) => takeFirst(event.clipboardData?.files, take));
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    showDropping(false);
    if (!takeFirst(event.dataTransfer?.files, take)) refuse();
  });
  showWhereToDrop();
}

function takeFirst(files: FileList | null | undefined, take: (file: File) => void): boolean {
  const [first] = files ?? [];
  if (first) take(first);
  return !!first;
}

function showWhereToDrop(): void {
  document.addEventListener('dragover', (event) => {
    event.preventDefault(); // so that it may be dropped
    showDropping(!!event.dataTransfer?.types.includes('Files'));
  });
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) showDropping(false); // it left the window
  });
}

function showDropping(isOver: boolean): void {
  document.body.classList.toggle('dropping', isOver);
}
