"use strict";

const form = document.getElementById("login");
const error = document.getElementById("error");

// tell shows what went wrong, and has screen readers say it.
function tell(text) {
  error.textContent = text;
  error.hidden = !text;
}

// ask posts JSON, and returns the answer's error; empty for none.
async function ask(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.ok) {
      return "";
    }
    const { error } = await answer.json();
    return `${error[0].toUpperCase()}${error.slice(1)}.`;
  } catch {
    return "The server cannot be reached. Try again.";
  }
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  tell("");
  const failure = await ask("/auth/login", { name: form.elements.name.value, password: form.elements.password.value });
  if (!failure) {
    location.assign(form.dataset.next);
    return;
  }
  button.disabled = false;
  tell(failure);
  form.elements.password.select();
});

for (const [id, body] of [["logout", {}], ["logout-everywhere", { everywhere: true }]]) {
  document.getElementById(id)?.addEventListener("click", async () => {
    const failure = await ask("/auth/logout", body);
    if (failure) {
      tell(failure);
    } else {
      location.reload();
    }
  });
}
