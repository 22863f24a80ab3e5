"use strict";

const form = document.getElementById("set");
const state = document.getElementById("state");
const error = document.getElementById("error");
const token = location.hash.slice(1);

// Neither the history nor the address bar keeps the secret.
history.replaceState(null, "", location.pathname);

// Whoever comes without a link, and is logged in, changes the password.
const own = token ? "" : (form?.dataset.name ?? "");

// ask posts to the server, and returns the user's name, or what went wrong.
async function ask(body) {
  try {
    const answer = await fetch("/auth/password", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const { name, error } = await answer.json();
    return answer.ok ? { name } : { failure: `${error[0].toUpperCase()}${error.slice(1)}.` };
  } catch {
    return { failure: "The server cannot be reached. Try again." };
  }
}

// user returns whose password is set, or what went wrong.
async function user() {
  if (own) {
    return { name: own };
  }
  // A link may be another user's than the one who is logged in.
  document.getElementById("change")?.remove();
  return token ? ask({ token }) : { failure: "This page needs a link that an administrator gives. Copy it again, whole." };
}

async function begin() {
  const { name, failure } = await user();
  if (failure) {
    state.textContent = failure;
    state.className = "error";
    return;
  }
  state.hidden = true;
  form.hidden = false;
  document.getElementById("who").textContent = name;
  form.elements.name.value = name;
  (form.elements.old ?? form.elements.password).focus();
}

function tell(text) {
  error.textContent = text;
  error.hidden = !text;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { old, password, again } = form.elements;
  if (password.value !== again.value) {
    tell("The two passwords differ. Type them again.");
    again.select();
    return;
  }
  const button = form.querySelector("button");
  button.disabled = true;
  tell("");
  const { failure } = await ask(old ? { old: old.value, new: password.value } : { token, password: password.value });
  button.disabled = false;
  if (failure) {
    tell(failure);
    password.select();
    return;
  }
  form.hidden = true;
  state.hidden = false;
  state.className = "";
  const link = document.createElement("a");
  link.href = old ? "/" : "/auth/login";
  link.className = "button";
  link.textContent = old ? "Continue" : "Log in";
  state.replaceChildren("Your password is set. ", link);
  link.focus();
});

begin();
