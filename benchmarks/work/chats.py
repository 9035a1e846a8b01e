"""A small set of chats with the library of a village, the same each time."""

Chat = list[dict[str, str]]

BOOKS = {
    "sea": ("The Lamp on the Reef", "green", "a keeper who counts ships and once a year counts one too many"),
    "bread": ("Flour and Fire", "brown", "sourdough, with a chapter on ovens that are built of clay"),
    "stars": ("A Ladder to Saturn", "blue", "the planets, as a grandmother explains them from her balcony"),
    "birds": ("Who Sings at Four", "yellow", "thirty birds of hedges and what each of them says before sunrise"),
    "chess": ("The Patient Rook", "grey", "endings with few pieces, and why a draw can be a victory"),
    "trains": ("Seven Minutes Late", "red", "a night express, its cook, and a letter that nobody wants to open"),
    "gardens": ("Beans Climb North", "green", "vegetables on a north wall, with a calendar for every month"),
    "bicycles": ("Oil, Chain, Patience", "black", "repairing gears at home with four tools and a rag"),
}
ASKED = (
    "Do you have something about {topic}?",
    "My daughter likes {topic}. What should she read?",
    "I have one evening and I want to read about {topic}.",
    "Where do I find the book about {topic}?",
    "What is your best book on {topic}, and why?",
    "Somebody told me about a book on {topic}; which one could it be?",
)
ANSWERED = (
    "Yes: {title}. It is about {about}. You find it on the {colour} shelf, and you may keep it for three weeks.",
    "Take {title} from the {colour} shelf. It tells of {about}, and most readers ask for it twice.",
    "{title} is the one. Look on the {colour} shelf beside the window; it is about {about}.",
)
MORE = (
    ("May I keep it longer?", "Of course. Tell me before the three weeks are over, and you have three more."),
    ("Is it long?", "No, you can read it in an evening or two; the print is large and there are drawings."),
)


def chats() -> list[Chat]:
    """48 of two or four turns."""
    made = []
    for place, (topic, (title, colour, about)) in enumerate(BOOKS.items()):
        for number, question in enumerate(ASKED):
            answer = ANSWERED[(place + number) % len(ANSWERED)].format(title=title, colour=colour, about=about)
            turns = [(question.format(topic=topic), answer)]
            if (place + number) % 2:
                turns.append(MORE[number % len(MORE)])
            made.append(
                [
                    {"role": role, "content": said}
                    for turn in turns
                    for role, said in zip(("user", "assistant"), turn, strict=True)
                ]
            )
    return made
