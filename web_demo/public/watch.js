// Says that the page's program did not load or does not run. Apart from it, and old JavaScript, so
// that this works where that does not.
(function () {
  addEventListener('error', say, true); // a script's own error does not bubble

  function say(event) {
    if (document.documentElement.dataset.alive) return; // it says by itself what fails
    var file = event.target.src;
    if (event.target !== window && event.target.tagName !== 'SCRIPT') return;
    document.getElementById('hint').hidden = true;
    document.getElementById('frame').setAttribute('aria-busy', 'false');
    var trouble = document.getElementById('trouble');
    trouble.textContent = file
      ? 'A part of this page cannot be loaded: ' + file + '. Reload the page.'
      : 'This page does not run in this browser: ' + event.message;
    trouble.hidden = false;
  }
})();
