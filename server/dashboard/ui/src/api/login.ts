/** Leads to the page on which people log in, and back. Without `--auth keys` there is none, and nobody is sent there. */
export function goToLogin(): void {
  const { pathname, search } = window.location
  window.location.assign(`/auth/login?next=${encodeURIComponent(pathname + search)}`)
}

/** Ends the login, and leads to the page on which people log in. It tells whether the login has ended. */
export async function logOut(): Promise<boolean> {
  const { ok } = await fetch('/auth/logout', { method: 'POST' }).catch(() => ({ ok: false }))
  if (ok) window.location.replace('/auth/login')
  return ok
}
