// The sign-in box: a button that opens a dialog, and who is signed in afterwards.

import { useRef, useState, useSyncExternalStore, type FormEvent } from "react";
import { currentState, onChange, signIn, signOut } from "./session";

export function SessionBox() {
  const { session, notice } = useSyncExternalStore(onChange, currentState);
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <div className="session">
      {session ? (
        <>
          <span className="who" title={session.username}>
            {session.username}
          </span>
          <button type="button" onClick={() => void signOut()}>
            Sign out
          </button>
        </>
      ) : (
        <>
          {notice && <span role="alert">{notice}</span>}
          <button type="button" className="primary" onClick={() => dialog.current?.showModal()}>
            Sign in
          </button>
        </>
      )}
      <dialog ref={dialog} aria-labelledby="sign-in-title">
        <SignInForm close={() => dialog.current?.close()} />
      </dialog>
    </div>
  );
}

function SignInForm({ close }: { close: () => void }) {
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = new FormData(form);
    setBusy(true);
    const refusal = await signIn(String(fields.get("username")).trim(), String(fields.get("password")));
    setBusy(false);
    setProblem(refusal);
    if (refusal) return;
    form.reset();
    close();
  };

  return (
    <form onSubmit={(event) => void submit(event)}>
      <h2 id="sign-in-title">Sign in</h2>
      <p>With an API credential: its key is the user name, its secret the password.</p>
      <label>
        User name
        <input name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required autoFocus />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      {problem && <p role="alert">{problem}</p>}
      <menu>
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="submit" className="primary" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
      </menu>
    </form>
  );
}
