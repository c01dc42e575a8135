// Remembers which list of conversations one came from, so that "back" leads there and not to the first box.

const list = "/conversations";
if (location.pathname === list) sessionStorage.setItem("conversations", location.search);
const crumb = document.querySelector(`a.crumb[href="${list}"]`);
const search = sessionStorage.getItem("conversations");
if (crumb && search) crumb.search = search;
