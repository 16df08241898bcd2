"""A shop in two services, to read and to run: ``make demo``, or ``python -m examples.shop``.

In reading order:

- ``inventory.py``: a Flask service that knows what is on the shelf
- ``storefront.py``: a FastAPI service that takes orders and asks the inventory for goods
- ``payment.py``: a careless payment provider: it logs a card number and a token
- ``assistant.py``: an agent with a model and a tool; the model is a toy
- ``restock.py``, ``supplier.py``: the background job that fills the shelves, a workflow, and who has to be called twice
- ``models.py``: the tables of both, SQLAlchemy on SQLite
- ``service.py``: what makes a process of a service
- ``load.py``: the customers
- ``processes.py``, ``figures.py``, ``picture.py``, ``__main__.py``: the demo: start, count, show, stop

The services use otel_kit's public names and nothing else of it.
"""
