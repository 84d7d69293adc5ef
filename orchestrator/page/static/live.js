// The page while a launch works: it hears that the store has changed, and fetches what is new.

function follow() {
  if (!PAGE.live) return;
}
