"""What the language model is asked to go on with, by kind, and the pairs of texts whose likeness the encoder tells."""

from __future__ import annotations

FACTS = """The Eiffel Tower is located in the city of
The capital of Japan is
The capital of Italy is the city of
Water is made of hydrogen and
The largest planet of the solar system is
The author of Romeo and Juliet is William
The chemical symbol for gold is
The first president of the United States was George
The currency of the United Kingdom is the
The opposite of hot is
People in Brazil speak
The Great Wall is a famous sight in
Albert Einstein developed the theory of general
Bees make a sweet food called
The Earth moves around the
The fastest land animal is the"""

AGREEMENT = """The keys to the old cabinet
The author of the books
The dogs that chased the cat
The girl who met the teachers
The pictures on the wall of the room
The teacher of the children
My brother and my sister
The houses near the river
The car behind the trucks
The answers to the question
Yesterday the boy with the apples
The woman told her son that she would help
The king said that the crown belonged to
The boys hurt their knees when they
She opened her eyes, and he opened
The flowers in the vase that I bought"""

INDUCTION = """red blue green red blue
one seven four nine one seven four
Mr Dursley met Mrs Potter. Mr
apple 3, pear 8, plum 5, apple 3, pear
cat dog bird fish cat dog bird
The code is K7 Q2 X9. Again: K7 Q2
tok lim bar, tok lim
Anna Karlsson arrived late. Everybody had waited for Anna
We saw a zebrafish. Then the zebra
north south east west north south east
Vernon Smithers sang. Then they clapped for Vernon
x = 41; y = 17; x = 41; y =
knife fork spoon knife fork
A B C D A B C
The Hobbington Hotel is old. I like the Hobbington
do re mi fa do re mi"""

OBJECTS = """When John and Mary went to the shop, John gave a drink to
When Anna and Peter were at work, Peter handed a letter to
After Tom and Lisa had lunch, Tom passed the ball to
While Kate and Paul were talking, Kate sold a car to
When Alice and Bob met at school, Bob gave a book to
Then David and Sarah went to the park, and David showed a map to
When Emma and Jack left the house, Emma threw the keys to
After Mark and Laura came home, Laura sent a message to
Paul lent his bike to Susan, so the bike is now with
Mary has a dog and Tim has a cat. The owner of the dog is
When Sam and Julia sat at the table, Julia passed the salt to
Once Helen and Frank were friends, Frank wrote a poem for
When Peter and Jane got the cake, Jane cut a piece for
Lucy thanked Ben because Ben had helped
When Maria and Carlos danced, Carlos bought flowers for
After Rose and Henry argued, Rose said sorry to"""

LISTS = """Monday, Tuesday, Wednesday,
January, February, March,
1, 2, 3, 4,
2, 4, 6, 8,
10, 20, 30, 40,
first, second, third,
A, B, C, D,
France is to Paris as Spain is to
small, smaller, smallest; big, bigger,
Red, orange, yellow, green,
Mercury, Venus, Earth,
hot and cold, up and down, left and
go went, see saw, take
dog dogs, cat cats, house
Spring, summer, autumn,
alpha, beta, gamma,"""

NEGATION = """The food was not good, it was really
He is not rich. In fact he is very
The glass is not full, it is
I do not like the film because it is too
She was not happy at all, she was very
The door is not open, it is
It was not hot outside, it was
The test was not easy, it was very
He never tells the truth; he always
The shop is not far away, it is very
This is not the beginning, this is the
The answer is not yes, the answer is
They did not win the game, they
The water is not clean, it is
It is not day, it is
Nobody came to the party, so the house was"""

CODE = r"""for i in range(10):\n    print(
def add(a, b):\n    return a +
import numpy as
if x > 0:\n    return True\n
class Dog:\n    def __init__(
names = ["ann", "bob"]\nfor name in
<html><head><title>Home</title></
while True:\n    try:\n        run()\n
x = [1, 2, 3]\nprint(len(
SELECT name FROM users WHERE
public static void main(String[]
def square(n):\n    return n *
try:\n    value = int(text)\nexcept
const total = items.map(item => item.
#include <stdio.h>\nint
with open("file.txt") as"""


def _lines(text: str) -> list[str]:
    return [line.replace("\\n", "\n") for line in text.splitlines()]


KINDS = {
    "facts": FACTS, "agreement": AGREEMENT, "induction": INDUCTION, "indirect object": OBJECTS, "lists": LISTS,
    "negation": NEGATION, "code": CODE,
}  # fmt: skip


def prompts() -> list[tuple[str, str]]:
    """(kind, prompt), one of each kind in turn, so that the first few are of all kinds."""
    columns = [[(kind, line) for line in _lines(text)] for kind, text in KINDS.items()]
    return [entry for row in zip(*columns, strict=True) for entry in row]


TEXTS = """A dog chases the ball across the park.|The puppy is running after a toy.
The stock market fell sharply on Monday.|Share prices dropped at the start of the week.
She cooked pasta with tomatoes and basil.|An Italian dinner was prepared.
The train to Berlin was cancelled because of snow.|Winter weather stopped rail traffic.
My grandmother taught me how to knit.|An old woman shows a child needlework.
Scientists found water on a distant planet.|Astronomers make a discovery in space.
The team lost the final in the last minute.|Football players were beaten.
He plays the violin in an orchestra.|A musician performs classical music.
The doctor told him to stop smoking.|Medical advice against cigarettes.
A heavy storm destroyed several houses.|Bad weather caused damage to buildings.
I forgot my password and cannot log in.|How do I reset my account?
The baby fell asleep in the car.|An infant is sleeping.
Our flight leaves at six in the morning.|We travel early by plane.
The museum shows paintings by Van Gogh.|An exhibition of art.
Bread is made from flour, water and yeast.|A recipe for baking.
The judge sentenced the thief to two years.|A criminal was sent to prison.
Children are building a castle of sand.|Kids play on the beach.
The new phone has a better camera.|A device that takes good pictures.
The river is too cold for swimming.|The water has a low temperature.
He paid for the coffee with a card.|A customer bought a drink.
The company hired fifty engineers.|New jobs in technology.
A cat sleeps on the warm roof.|A pet is resting in the sun.
The president signed the law yesterday.|The government made a decision.
Her car broke down on the motorway.|The vehicle stopped working.
This film is not worth your time.|A bad review of a movie.
The soup was delicious and very hot.|I enjoyed the meal.
They planted trees along the street.|People make the city greener.
The teacher explained fractions to the class.|A lesson in mathematics.
Rain is expected in the north tomorrow.|The weather forecast.
The hotel room was dirty and loud.|I was unhappy with my stay.
A man is riding a white horse.|Somebody sits on an animal.
The library closes at eight in the evening.|When can I borrow books?
Many birds fly south before winter.|Animals migrate to warm places.
The patient has a broken leg.|Somebody was injured.
We need more sugar and eggs for the cake.|Ingredients are missing.
The bridge was built in the last century.|An old construction.
She won a gold medal in the marathon.|A runner was successful.
The software crashed after the update.|There is a bug in the program.
He speaks three languages fluently.|A person with many skills.
The farmer sells fresh milk and cheese.|Food from the countryside.
A fire broke out in the factory.|The plant was burning.
The students protest against higher fees.|Young people demonstrate.
Turn left at the church and go straight on.|Directions to a place.
The lake was frozen all winter.|Ice covered the water.
I am looking for a cheap flat near the centre.|Somebody wants to rent a home.
The orchestra played until midnight.|A long concert.
Vitamin C is found in oranges and peppers.|Healthy fruit and vegetables.
The thief escaped through the window.|A burglar ran away.
My neighbour's dog barks all night.|The animal next door is loud.
The moon is smaller than the Earth.|Sizes of things in the sky.
They met at university and married later.|The story of a couple.
The bank raised its interest rates again.|Borrowing money gets more expensive.
A whale was seen near the coast.|A large animal in the sea.
He repaired the roof before the rain came.|A man fixed his house.
The recipe needs two cups of rice.|How to cook a dish.
The plane landed safely in the fog.|The flight ended well.
She reads a story to her children.|A mother with a book.
The king lived in a castle on a hill.|A ruler and his home.
The battery of my laptop does not last long.|A computer that needs power.
Police are searching for a missing boy.|A child cannot be found.
The concert was cancelled, so we went home.|There was no music.
Not a single customer complained.|Everybody was satisfied.
Wolves hunt in small groups.|How wild animals find food.
The garden is full of red roses.|Flowers are blooming."""


def pairs() -> list[tuple[str, str]]:
    """(text, reference): how near the embedding of the first is to that of the second."""
    return [(text, reference) for text, _, reference in (line.partition("|") for line in TEXTS.splitlines())]
