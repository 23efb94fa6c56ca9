"""A chapter on Colab and Binder: addresses from one constant, a first cell that is silent here."""

from tutorial_lib.course import online


def test_the_links_lead_to_the_chapter_in_the_repository():
    text = online.links("05_vit")
    assert text.count("chapters/05_vit.ipynb") == 2
    place = online.repository().removeprefix("https://github.com/")
    assert f"/github/{place}/blob/main/chapters" in text and f"/gh/{place}/main?urlpath" in text


def test_the_first_cell_does_nothing_here_and_fetches_the_course_on_colab(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, namespace = online.first_cell(), {}
    exec(code, namespace)
    ran, path = [], list(namespace["sys"].path)
    monkeypatch.setitem(namespace["sys"].modules, "google.colab", object())
    monkeypatch.setattr(namespace["subprocess"], "run", lambda command, check: ran.append(command))
    monkeypatch.setattr(namespace["sys"], "path", path)
    exec(code, namespace)
    assert ran[0][:2] == ["git", "clone"] and online.repository() in ran[0]
    assert namespace["sys"].path[0] == "course"
