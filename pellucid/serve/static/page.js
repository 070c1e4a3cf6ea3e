document.getElementById("page").textContent="pellucid"
