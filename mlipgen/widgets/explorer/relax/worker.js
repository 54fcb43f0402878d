// The worker's side of the conversation: { problem }, { start: id, theta } and { stop }.

/** Answers the page's messages in a worker; the page's last request is the only one that runs. */
function listen(scope) {
  let problem = null;
  let current = null;
  const channel = new MessageChannel(); // lets a new request in between two steps, without delay
  const breath = () =>
    new Promise((resolve) => {
      channel.port1.onmessage = resolve;
      channel.port2.postMessage(null);
    });
  const run = async (id, theta) => {
    try {
      for (const found of problem.study(theta)) {
        scope.postMessage({ id, ...found });
        await breath();
        if (current !== id) return;
      }
    } catch (error) {
      scope.postMessage({ id, failed: String(error) });
    }
  };
  scope.onmessage = ({ data: message }) => {
    if (message.problem) problem = new Problem(message.problem.meta, message.problem.arrays);
    current = message.start ?? null;
    if (current !== null) run(current, message.theta);
  };
}
