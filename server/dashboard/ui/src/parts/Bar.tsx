/** A share as a bar, of at most the whole. It says nothing that is not also said in words. */
export function Bar({ share }: { share: number | null }) {
  const width = Math.min(1, Math.max(0, share ?? 0)) * 100
  return (
    <svg viewBox="0 0 100 8" width="100%" height="8" preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <rect width="100" height="8" fill="var(--sunken)" />
      <rect width={width} height="8" fill="var(--accent)" />
    </svg>
  )
}
