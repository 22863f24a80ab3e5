/** Leads to the page on which people log in, and back. Without `--auth keys` there is none, and nobody is sent there. */
export function goToLogin(): void {
  const { pathname, search } = window.location
  window.location.assign(`/auth/login?next=${encodeURIComponent(pathname + search)}`)
}

/** Ends the login, and leads to the page on which people log in. */
export async function logOut(): Promise<void> {
  await fetch('/auth/logout', { method: 'POST' })
  goToLogin()
}
