"use strict";
// The browsable API's forms: what HTML forms cannot send (PUT, PATCH, DELETE, a JSON body, If-Match) goes by fetch, and
// the page that comes back takes this one's place. Listeners sit on the document, so they outlive the exchange.
{
  const sendsJson = (form) => form.querySelector("[data-override=content]");

  async function send(form, method) {
    const facts = document.getElementById("api-facts").dataset;
    const headers = { Accept: "text/html", "X-CSRFToken": facts.csrf };
    const init = { method, headers, credentials: "same-origin" };
    if (facts.etag && ["PUT", "PATCH", "DELETE"].includes(method)) headers["If-Match"] = facts.etag;
    if (sendsJson(form)) {
      headers["Content-Type"] = form.querySelector("[data-override=content-type]").value;
      init.body = sendsJson(form).value;
    }
    const answer = await fetch(form.action, init);
    show(await answer.text(), answer.headers.get("Content-Type") || "");
  }

  function show(text, type) {
    if (type.startsWith("text/html")) {
      const page = new DOMParser().parseFromString(text, "text/html");
      document.body.replaceWith(page.body);
      prettyPrint();
    } else {
      document.querySelector(".response-info pre").textContent = text;
    }
    window.scrollTo(0, 0);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const method = (event.submitter?.dataset.method || form.dataset.method || form.method).toUpperCase();
    if (!form.dataset.method && !sendsJson(form)) return; // an ordinary form: sign out, GET
    event.preventDefault();
    send(form, method).catch((error) => show(String(error), ""));
  });

  prettyPrint();
}
