// Health check of the API image: exits 0 if this container's API answers.
try {
  const response = await fetch(`http://127.0.0.1:${process.env.PORT}/health/live`, { signal: AbortSignal.timeout(4_000) });
  if (!response.ok) throw new Error(`/health/live answered ${response.status}`);
} catch (error) {
  console.error(`unhealthy: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}
