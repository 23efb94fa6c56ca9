"""The index of the survey is complete, and `problems` catches what is called built and is not."""

import dataclasses
import io
import json

import pytest

from tutorial_lib.course import survey, survey_map

SLUGS = """start_here self_attention multi_head_attention transformer pretraining vit deit
    local_and_global windows t2t attention_maps hierarchies convolution self_supervised detr
    deformable_detr detection_backbones mask_transformers semantic_segmentation pointnet hand_pose
    human_pose scenes tracking reidentification point_transformer transformer_gans token_generators
    restoration action_recognition video_retrieval video_synthesis clip vision_language pruning
    distillation quantization compact_design linear_attention outlook
    attention_before_transformers""".split()
SPINE = "01 02 03 05 09 14 19 36 38".split()
GOOD = "tutorial_lib.course.survey:Survey"  # any class that can be imported


@pytest.fixture(scope="module")
def index():
    return survey.load()


def test_all_systems_in_the_order_of_the_survey(index):
    assert [s.number for s in index.systems] == list(range(1, 125))
    assert len({s.id for s in index.systems}) == 124


def test_all_chapters_of_the_syllabus(index):
    assert [c.number for c in index.chapters] == [f"{i:02d}" for i in range(41)]
    assert [c.slug for c in index.chapters] == SLUGS
    assert [c.number for c in index.chapters if c.spine] == SPINE


def test_every_system_is_in_the_chapter_that_the_syllabus_gives(index):
    rows = {c.number: [s.number for s in index.systems_of(c.number)] for c in index.chapters}
    assert sum(map(len, rows.values())) == 124
    assert rows["09"] == list(range(15, 21))
    assert rows["25"] == [40, 71, 72]
    assert [number for number in rows if not rows[number]] == ["00", "01", "02", "39"]


def test_the_index_has_no_problems(index):
    assert survey.problems(index) == []


def test_pages_say_what_the_index_says(index):
    page = (survey.ROOT / "SURVEY.md").read_text(encoding="utf-8")
    assert page == survey.as_markdown(index), "SURVEY.md is old: run `make survey`"


# `problems` on small files


CHAPTER = """
[[chapter]]
number = "03"
slug = "transformer"
title = "The Transformer"
part = "1. Formulation"
spine = true
minutes = 180
level = 3
about = "All of it."
"""
SYSTEM = """
[[system]]
number = 1
id = "transformer"
name = "Transformer"
section = "1 Formulation"
paper = "Attention Is All You Need"
chapter = "03"
claim = "[P] without positions the encoder is permutation-equivariant."
reference = "torch.nn.Transformer"
grade = "A"
status = "planned"
"""
RAN = "encoder 1e-7\n✓ claim [transformer] permutation-equivariant\n"


def problems_of(tmp_path, text, cells=None):
    """`problems` of a survey.toml with this text and a solved notebook with these cells."""
    (tmp_path / "survey.toml").write_text(text, encoding="utf-8")
    if cells is not None:
        path = tmp_path / "03_transformer.ipynb"
        path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return survey.problems(survey.load(tmp_path / "survey.toml"), tmp_path)


def built(symbol):
    status = f'status = "built"\nsymbol = "{symbol}"'
    return CHAPTER + SYSTEM.replace('status = "planned"', status)


def code(source, printed=""):
    output = {"output_type": "stream", "name": "stdout", "text": printed.splitlines(keepends=True)}
    return {"cell_type": "code", "source": [source], "outputs": [output]}


def test_a_planned_system_needs_no_notebook(tmp_path):
    assert problems_of(tmp_path, CHAPTER + SYSTEM) == []


def test_a_built_system_whose_claim_ran(tmp_path):
    cells = [code("model = Survey()"), code("claim(...)", RAN)]
    assert problems_of(tmp_path, built(GOOD), cells) == []


def test_a_claim_shown_as_a_result_counts(tmp_path):
    cell = code("Survey()")
    cell["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": RAN}}]
    assert problems_of(tmp_path, built(GOOD), [cell]) == []


@pytest.mark.parametrize(
    "symbol", ["tutorial_lib.no_such_module:Survey", "tutorial_lib.course.survey:NoSuchClass"]
)
def test_built_but_not_importable(tmp_path, symbol):
    cells = [code("Survey(NoSuchClass)", RAN)]
    [problem] = problems_of(tmp_path, built(symbol), cells)
    assert problem.startswith(f"system 1 (transformer): symbol '{symbol}' cannot be imported: ")


@pytest.mark.parametrize("source", ["model = MySurvey2()", "survey.load()"])
def test_built_but_not_in_the_chapter(tmp_path, source):
    text = {"cell_type": "markdown", "source": ["Survey is described here only"]}
    [problem] = problems_of(tmp_path, built(GOOD), [text, code(source, RAN)])
    assert problem == (
        "system 1 (transformer): no code cell of 03_transformer.ipynb mentions 'Survey'"
    )


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "✓ claim [vit] another system\n",
        "✗ claim [transformer] does not hold\n",
        "would print ✓ claim [transformer]\n",
    ],
)
def test_built_but_no_claim_ran(tmp_path, printed):
    [problem] = problems_of(tmp_path, built(GOOD), [code("Survey()", printed)])
    assert "no output of 03_transformer.ipynb has a line '✓ claim [transformer]'" in problem


def test_built_without_a_solved_notebook(tmp_path):
    [problem] = problems_of(tmp_path, built(GOOD))
    assert "03_transformer.ipynb does not exist" in problem


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('name = "Transformer"\n', "", "name is None, expected str"),
        ('name = "Transformer"', 'name = ""', "name is '', expected str"),
        ("number = 1", 'number = "1"', "number is '1', expected int"),
        ('chapter = "03"', 'chapter = "77"', "chapter is '77', not a [[chapter]]"),
        ('status = "planned"', 'status = "done"', "status is 'done', expected planned or built"),
        (
            'status = "planned"',
            'status = "built"',
            "symbol is '', expected 'tutorial_lib.module:Name'",
        ),
        ('grade = "A"', 'grade = "AB"', "grade is 'AB', expected A to D"),
        ("[P] without", "without", "expected text with a tag [P] or [E]"),
        ('reference = "torch.nn.Transformer"\n', "", "reference is None, expected str"),
        ("minutes = 180", "minutes = 4", "minutes is 4, expected 5 to 400"),
        ("level = 3", "level = 6", "level is 6, expected 1 to 5"),
        ("spine = true", 'spine = "yes"', "spine is 'yes', expected bool"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(tmp_path, old, new, message):
    text = (CHAPTER + SYSTEM).replace(old, new)
    [problem] = problems_of(tmp_path, text)
    assert message in problem


def test_an_entry_that_comes_twice(tmp_path):
    found = problems_of(tmp_path, CHAPTER + SYSTEM + SYSTEM)
    assert found == [
        "system number 1 appears 2 times, expected once",
        "system id 'transformer' appears 2 times, expected once",
    ]


def test_an_unknown_field_is_refused(tmp_path):
    with pytest.raises(TypeError, match="colour"):
        problems_of(tmp_path, CHAPTER + SYSTEM + 'colour = "red"\n')


# The generated pages


def test_write_refreshes_only_the_block_of_the_readme(tmp_path, index):
    readme = tmp_path / "README.md"
    readme.write_text(f"# Course\n{survey.START}\nstale\n{survey.END}\nend\n", encoding="utf-8")
    survey.write(index, tmp_path)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("# Course\n") and text.endswith("\nend\n") and "stale" not in text
    assert survey.chapter_table(index, tmp_path) in text
    survey.write(index, tmp_path)
    assert readme.read_text(encoding="utf-8") == text


def test_write_refuses_a_readme_without_the_markers(tmp_path, index):
    (tmp_path / "README.md").write_text("# Course\n", encoding="utf-8")
    with pytest.raises(ValueError, match="<!-- chapters -->"):
        survey.write(index, tmp_path)
    assert not (tmp_path / "SURVEY.md").exists()


def test_a_chapter_is_linked_once_its_notebook_exists(tmp_path, index):
    assert "](chapters/" not in survey.chapter_table(index, tmp_path)
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "05_vit.ipynb").touch()
    table = survey.chapter_table(index, tmp_path)
    entry = index.chapter("05")
    cells = f"Vision Transformer ★ | {entry.minutes} (core {entry.core}) | {entry.level} | ViT |"
    assert f"| [05](chapters/05_vit.ipynb) | {cells}" in table
    assert table.count("](chapters/") == 1


def test_every_table_row_has_the_cells_of_its_header(index):
    for line in survey.as_markdown(index).splitlines():
        if line.startswith("|"):
            assert line.replace(r"\|", "").count("|") in (6, 7), line


def test_progress_counts_by_status(index):
    systems = [
        dataclasses.replace(s, status="built" if s.number <= 5 else "planned")
        for s in index.systems
    ]
    counted = survey.Survey(index.chapters, tuple(systems)).progress()
    assert counted == {"built": 5, "planned": 119}


# The map


@pytest.fixture(scope="module")
def figure(index):
    return survey_map.draw(index, done=["00", "01"])


def test_map_shows_every_chapter_and_a_dot_for_each_system(index, figure):
    [axes] = figure.axes
    texts = [t.get_text() for t in axes.texts]
    assert {c.number for c in index.chapters} <= set(texts)
    assert len(axes.lines) == 124 + 2  # two dots in the legend
    assert texts.count("✓") == 2 + 1  # one in the legend


def test_map_has_readable_text_inside_the_picture(figure):
    figure.draw_without_rendering()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert text.get_fontsize() >= 7
        assert figure.bbox.contains(box.x0, box.y0) and figure.bbox.contains(box.x1, box.y1), text


def test_map_texts_do_not_overlap(figure):
    figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in figure.axes[0].texts]
    pairs = [(i, j) for i in range(len(boxes)) for j in range(i) if boxes[i].overlaps(boxes[j])]
    assert pairs == []


def test_map_is_a_small_file(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert len(file.getvalue()) < 60_000


def test_map_refuses_a_chapter_that_does_not_exist(index):
    with pytest.raises(ValueError, match="'41'"):
        survey_map.draw(index, done=["01", "41"])
